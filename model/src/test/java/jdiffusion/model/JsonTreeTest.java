package jdiffusion.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against Jackson's own trees. */
class JsonTreeTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @ParameterizedTest
    @ValueSource(strings = {"{}", "[]", "null", "1", "-7.25e-3", "\"\\u00e9\\n\"", "true",
        "{\"a\": [1, 2147483648, 92233720368547758070, 0.1, null, false, {\"b\": []}]}",
        "{\"a\": 1, \"a\": {\"c\": {}}, \"d\": \"\"}"})
    void asJacksonReadsIt(String text) throws IOException {
        assertThat(JsonTree.read(text.getBytes(StandardCharsets.UTF_8), "f")).isEqualTo(JSON.readTree(text));
    }

    @Test
    void nothing() {
        assertThat(JsonTree.read(new byte[0], "f")).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[1", "{\"a\"}", "{\"a\": }", "[1,]", "nul", "{\"a\": [}", "\"", "NaN",
        "{\"a\": -Infinity}", "[01]", "\"\u0001\""})
    void notJson(String text) {
        assertThatThrownBy(() -> JsonTree.read(text.getBytes(StandardCharsets.UTF_8), "f"))
                .isInstanceOf(InputException.class).hasMessageStartingWith("f: not valid JSON at line 1, column ")
                .message().doesNotContain("Jackson", "Json", "Stream", "REDACTED", "START_");
    }

    @Test
    void tooDeep() {
        assertThatThrownBy(() -> JsonTree.read("[".repeat(5000).getBytes(StandardCharsets.UTF_8), "f"))
                .isInstanceOf(InputException.class).hasMessageContaining("too many brackets within brackets");
    }

    @Test
    void values() {
        for (Object value : Arrays.asList(null, 3, "x", List.of(1, 2), List.of())) {
            assertThat(JsonTree.of(value)).isEqualTo(JSON.<com.fasterxml.jackson.databind.JsonNode>valueToTree(value));
        }
        assertThatThrownBy(() -> JsonTree.of(1.5)).isInstanceOf(IllegalArgumentException.class);
    }
}
