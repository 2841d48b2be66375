package jdiffusion.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Values of the wrong type are named, never taken for something else. */
class ConfigFileTest {
    @TempDir
    private Path folder;

    private ConfigFile file(String json) throws IOException {
        return ConfigFile.read(Files.writeString(folder.resolve("config.json"), json));
    }

    @Test
    void listsOfIntegers() throws IOException {
        assertThat(file("{\"a\": [7, -1]}").integers("a")).containsExactly(7, -1);
        assertThat(file("{\"a\": null}").integers("a")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"1,2\"", "3", "{\"b\": 1}", "[1.5]", "[1e99]", "[4294967296]", "[null]", "[[1]]"})
    void otherLists(String value) throws IOException {
        ConfigFile file = file("{\"a\": " + value + "}");
        assertThatThrownBy(() -> file.integers("a")).isInstanceOf(InputException.class)
                .hasMessageStartingWith(file.origin() + ": a ").hasMessageContaining("integer");
    }

    @Test
    void longIntegers() throws IOException {
        ConfigFile file = file("{\"a\": 9223372036854775807, \"b\": 9223372036854775808, \"c\": 1.5, \"d\": \"1\"}");
        assertThat(file.longInteger("a", 0)).isEqualTo(Long.MAX_VALUE);
        assertThat(file.longInteger("e", 5)).isEqualTo(5);
        for (String key : new String[] {"b", "c", "d"}) {
            assertThatThrownBy(() -> file.longInteger(key, 0)).isInstanceOf(InputException.class)
                    .hasMessageContaining(": " + key + " is ").hasMessageContaining("not an integer of 64 bits");
        }
    }
}
