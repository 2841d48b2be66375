package jdiffusion.tensor.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class CheckpointTest {
    private static final String ONE = "model-00001-of-00002.safetensors";
    private static final String TWO = "model-00002-of-00002.safetensors";
    private static final String MAP = "'weight_map':{'a':'" + ONE + "','b':'" + TWO + "','c':'" + ONE + "'}";

    @TempDir
    Path outside;
    private Path folder;
    private Path index;

    /** Two shards, a = 1 and c = 3 in the first, b = 2 in the second; no index yet. */
    @BeforeEach
    void writeShards() throws IOException {
        folder = Files.createDirectory(outside.resolve("folder"));
        index = folder.resolve("model.safetensors.index.json");
        SafetensorsWriter.write(folder.resolve(ONE), Map.of("a", number(1), "c", number(3)), Map.of());
        SafetensorsWriter.write(folder.resolve(TWO), Map.of("b", number(2)), Map.of());
    }

    private static Tensor number(float value) {
        return Tensor.of(new float[] {value}, 1);
    }

    private void writeIndex(String json) throws IOException {
        Files.writeString(index, json.replace('\'', '"'));
    }

    private void writeOne(String name, float value) {
        SafetensorsWriter.write(folder.resolve(name), Map.of("a", number(value)), Map.of());
    }

    private float valueOfA() {
        try (Checkpoint checkpoint = Checkpoint.open(folder, "model")) {
            return checkpoint.find("a").get(0, 0);
        }
    }

    private void assertRejected(String message) {
        assertThatThrownBy(() -> Checkpoint.open(folder, "model")).isInstanceOf(InputException.class)
                .hasMessageContaining(message).satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    @Test
    void shardsAreOneSource() throws IOException {
        writeIndex("{'metadata':{'total_size':12,'more':[{'x':[1.5,null]}]}," + MAP + "}");
        Tensor b;
        try (Checkpoint checkpoint = Checkpoint.open(folder, "model")) {
            assertThat(checkpoint.origin()).isEqualTo(index.toString());
            assertThat(checkpoint.names()).containsExactly("a", "b", "c");
            assertThat(checkpoint.find("c").get(0, 0)).isEqualTo(3);
            assertThat(checkpoint.find("d")).isNull();
            b = checkpoint.find("b");
            assertThat(b.get(0, 0)).isEqualTo(2);
        }
        assertThatThrownBy(() -> b.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void thePlainFileComesFirstAndOtherPrecisionsLast() throws IOException {
        writeOne("model.fp16.safetensors", 16);
        assertThat(valueOfA()).isEqualTo(16);
        writeIndex("{" + MAP + "}");
        assertThat(valueOfA()).isEqualTo(1);
        writeOne("model.safetensors", 32);
        assertThat(valueOfA()).isEqualTo(32);
        writeOne("other.safetensors", 5);
        assertThat(valueOfA()).isEqualTo(32);
    }

    @Test
    void anIndexOfAnotherPrecision() throws IOException {
        writeIndex("{" + MAP + "}");
        Files.move(index, folder.resolve("model.safetensors.index.fp16.json"));
        assertThat(valueOfA()).isEqualTo(1);
    }

    @Test
    void aFileByItsName() {
        try (Checkpoint checkpoint = Checkpoint.open(folder.resolve(TWO))) {
            assertThat(checkpoint.origin()).isEqualTo(folder.resolve(TWO).toString());
            assertThat(checkpoint.names()).containsExactly("b");
        }
    }

    @Test
    void nothingThere() throws IOException {
        assertRejected(folder + ": has neither model.safetensors nor model.safetensors.index.json; " + ONE + " is one"
                + " shard of several, so download the index");
        for (String other : new String[] {"model.safetensors.part", "pytorch_model.bin"}) {
            Path alone = Files.createDirectory(folder.resolve("with" + other));
            Files.writeString(alone.resolve(other), "x");
            assertThatThrownBy(() -> Checkpoint.open(alone, "model")).hasMessageContaining(other.endsWith("t")
                    ? other + " is a download that is not finished" : other + " is not read");
        }
        assertThatThrownBy(() -> Checkpoint.open(folder.resolve("no"), "model")).isInstanceOf(InputException.class)
                .hasMessageContaining("there is no such folder");
    }

    @Test
    void missingAndForeignShards() throws IOException {
        writeIndex("{" + MAP.replace("}", ",'d':'" + TWO + "'}") + "}");
        assertRejected("the index puts tensor d into " + TWO + ", but it is not there");
        writeIndex("{" + MAP.replace("'c':'" + ONE, "'c':'" + TWO) + "}");
        assertRejected("tensor c is in " + ONE + ", but the index puts it into " + TWO);
        writeIndex("{" + MAP.replace(",'c':'" + ONE + "'", "") + "}");
        assertRejected("tensor c is in " + ONE + ", but the index does not know it");
        writeIndex("{" + MAP + "}");
        Files.delete(folder.resolve(TWO));
        assertRejected(index + ": 1 of its 2 shards are not beside it: " + TWO + "; download them");
        Files.write(folder.resolve(TWO), new byte[5]);
        assertRejected(folder.resolve(TWO) + ": has 5 bytes, too few");
    }

    static Stream<Arguments> damagedIndexes() {
        return Stream.of(
                Arguments.of("", "is empty; download or write it again"),
                Arguments.of("[]", "it is not an object {...}"),
                Arguments.of("{}", "weight_map, which says where the tensors are, is missing or empty"),
                Arguments.of("{'weight_map':{}}", "is missing or empty"),
                Arguments.of("{'weight_map':[]}", "weight_map is not an object"),
                Arguments.of("{'weight_map':{'a':1}}", "the weight_map entry a is not a string"),
                Arguments.of("{" + MAP + "," + MAP + "}", "weight_map is there twice"),
                Arguments.of("{" + MAP.replace("'b'", "'a'") + "}", "weight_map has a twice"),
                Arguments.of("{" + MAP, "it is not valid JSON"),
                Arguments.of("{" + MAP + "} 1", "something follows the closing brace"),
                Arguments.of("{'metadata':" + "[".repeat(100_000), "it is not valid JSON"),
                Arguments.of("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
                Arguments.of(shard("../secret.safetensors"), "which is not a plain file name"),
                Arguments.of(shard("/etc/x.safetensors"), "which is not a plain file name"),
                Arguments.of(shard("sub/x.safetensors"), "which is not a plain file name"),
                Arguments.of(shard("sub\\\\x.safetensors"), "which is not a plain file name"),
                Arguments.of(shard("C:x.safetensors"), "which is not a plain file name"),
                Arguments.of(shard("x\\u0000.safetensors"), "x\\u0000.safetensors\", which is not a plain file name"),
                Arguments.of(shard(".safetensors"), "which is not a plain file name"),
                Arguments.of(shard(".."), "which is not a plain file name"),
                Arguments.of(shard(""), "which is not a plain file name"),
                Arguments.of(shard("pytorch_model.bin"), "which is not a plain file name that ends in .safetensors"));
    }

    private static String shard(String name) {
        return "{'weight_map':{'a':'" + name + "'}}";
    }

    @ParameterizedTest
    @MethodSource("damagedIndexes")
    void damagedIndexesAreRejected(String json, String message) throws IOException {
        SafetensorsWriter.write(outside.resolve("secret.safetensors"), Map.of("a", number(1)), Map.of());
        writeIndex(json);
        assertRejected(message);
    }
}
