package jdiffusion.tensor.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reader and writer on real files. */
class SafetensorsFileTest {
    @TempDir
    Path folder;

    private static Tensor random(DType type, int... dims) {
        byte[] bytes = new byte[(int) Shape.of(dims).size() * type.bytes()];
        new Random(bytes.length).nextBytes(bytes);
        return Tensor.of(MemorySegment.ofArray(bytes), type, Shape.of(dims));
    }

    @Test
    void everyTypeGoesRound() throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (DType type : DType.values()) {
            tensors.put("z." + type, random(type, 3, 5));
            tensors.put("scalar." + type, random(type));
            tensors.put("empty \u4e2d\n\"\\" + type, random(type, 4, 0));
        }
        Map<String, String> metadata = Map.of("format", "pt", "k\u00e9y", "v\u0001\n");
        Path path = folder.resolve("all.safetensors");
        SafetensorsWriter.write(path, tensors, metadata);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.origin()).isEqualTo(path.toString());
            assertThat(file.metadata()).isEqualTo(metadata);
            assertThat(file.names()).isEqualTo(tensors.keySet());
            assertThat(file.find("none")).isNull();
            tensors.forEach((name, tensor) -> {
                Tensor read = file.find(name);
                assertThat(read.type()).isEqualTo(tensor.type());
                assertThat(read.shape()).isEqualTo(tensor.shape());
                assertThat(read.data().mismatch(tensor.data())).as(name).isEqualTo(-1);
                assertThat(read.data().address() % read.type().bytes()).as(name).isZero();
            });
        }
    }

    @Test
    void theSameTensorsGiveTheSameBytes() throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("b", Tensor.of(new float[] {1, 2}, 2));
        tensors.put("byte", random(DType.U8, 1));
        tensors.put("a", Tensor.of(new float[] {3}, 1));
        Path one = folder.resolve("one");
        Path two = folder.resolve("two");
        SafetensorsWriter.write(one, tensors, Map.of("x", "1", "y", "2"));
        SafetensorsWriter.write(two, new TreeMap<>(tensors), new TreeMap<>(Map.of("y", "2", "x", "1")));
        byte[] bytes = Files.readAllBytes(one);
        assertThat(bytes).isEqualTo(Files.readAllBytes(two));
        String json = "{\"__metadata__\":{\"x\":\"1\",\"y\":\"2\"},"
                + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},"
                + "\"byte\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[12,13]}}";
        int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        assertThat(length % 8).isZero();
        assertThat(length - json.length()).isBetween(0, 7);
        assertThat(new String(bytes, 8, length)).isEqualTo(json + " ".repeat(length - json.length()));
        assertThat(bytes).hasSize(8 + length + 13);
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactlyInAnyOrder(one, two);
        }
    }

    @Test
    void gapsBetweenRowsAreClosedAndLargeTensorsStreamed() {
        Tensor wide = random(DType.BF16, 2, 300, 1001);
        Tensor cut = wide.columns(3, 1000);
        Tensor large = random(DType.F32, 700_001);
        Path path = folder.resolve("cut");
        SafetensorsWriter.write(path, Map.of("cut", cut, "large", large, "one", wide.at(1).at(2).columns(1, 4)),
                Map.of());
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.metadata()).isEmpty();
            assertThat(file.find("cut").isContiguous()).isTrue();
            assertThat(file.find("cut").shape()).isEqualTo(Shape.of(2, 300, 997));
            // Bits instead of values, for NaN does not equal itself.
            assertThat(bits(file.find("cut"))).isEqualTo(bits(cut));
            assertThat(bits(file.find("one"))).isEqualTo(bits(wide.at(1).at(2).columns(1, 4)));
            assertThat(file.find("large").data().mismatch(large.data())).isEqualTo(-1);
        }
    }

    private static int[] bits(Tensor tensor) {
        float[] values = tensor.toArray();
        int[] bits = new int[values.length];
        Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
        return bits;
    }

    @Test
    void headersWithoutPaddingAreRead() throws IOException {
        byte[] bytes = SafetensorsHeaderTest.file("{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}", 8);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(bytes.length - 8, 1.5f)
                .putFloat(bytes.length - 4, -7);
        assertThat(bytes.length % 4).isNotZero();
        try (SafetensorsFile file = SafetensorsFile.open(Files.write(folder.resolve("odd"), bytes))) {
            assertThat(file.find("a").toArray()).containsExactly(1.5f, -7);
        }
    }

    @Test
    void tensorsBeyond2GiBAreRead() throws IOException {
        // A sparse file: 5 GiB of zeros that take no room, then four bytes.
        long zeros = 5L << 30;
        byte[] header = SafetensorsHeaderTest.file("{'big':{'dtype':'BF16','shape':[2560,1048576],'data_offsets':[0,"
                + zeros + "]},'last':{'dtype':'U8','shape':[4],'data_offsets':[" + zeros + "," + (zeros + 4) + "]}}",
                0);
        Path path = folder.resolve("sparse");
        try (RandomAccessFile out = new RandomAccessFile(path.toFile(), "rw")) {
            out.write(header);
            out.setLength(header.length + zeros + 4);
            out.seek(header.length + zeros - 2);
            out.write(new byte[] {(byte) 0x80, 0x3f, 1, 2, 3, 4});
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.find("last").toArray()).containsExactly(1, 2, 3, 4);
            Tensor big = file.find("big");
            assertThat(big.byteSize()).isEqualTo(zeros);
            assertThat(big.get(2559, 1048575)).isEqualTo(1);
            assertThat(big.at(2559).columns(1048573, 1048576).toArray()).containsExactly(0, 0, 1);
        } finally {
            Files.delete(path);
        }
    }

    @Test
    void viewsDieWithTheFileAndCannotBeWritten() {
        Path path = folder.resolve("f");
        SafetensorsWriter.write(path, Map.of("a", Tensor.of(new float[] {1}, 1)), Map.of());
        SafetensorsFile file = SafetensorsFile.open(path);
        Tensor tensor = file.find("a");
        assertThatThrownBy(() -> tensor.set(0, 0, 2)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("read-only");
        file.close();
        file.close();
        assertThatThrownBy(() -> tensor.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void whatCannotBeOpenedSaysSo() throws IOException {
        assertThatThrownBy(() -> SafetensorsFile.open(folder)).isInstanceOf(InputException.class)
                .hasMessage(folder + ": is a folder; a plain file is needed");
        Path none = folder.resolve("none");
        assertThatThrownBy(() -> SafetensorsFile.open(none)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(none + ": there is no such file");
        Path text = Files.writeString(folder.resolve("text"), "not weights at all");
        assertThatThrownBy(() -> SafetensorsFile.open(text)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(text + ": is not a safetensors file, or a damaged one");
    }

    @Test
    void aFailedWriteLeavesNothing() throws IOException {
        Path path = folder.resolve("f");
        Tensor dead;
        try (var workspace = Workspace.onHost(1 << 10)) {
            dead = workspace.f32(10);
        }
        assertThatThrownBy(() -> SafetensorsWriter.write(path, Map.of("a", dead), Map.of()))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> SafetensorsWriter.write(path.resolve("x"), Map.of(), Map.of()))
                .isInstanceOf(InputException.class);
        Map<String, Tensor> reserved = Map.of("__metadata__", Tensor.of(new float[1], 1));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, reserved, Map.of()))
                .isInstanceOf(IllegalArgumentException.class);
        Map<String, Tensor> notText = Map.of("\ud800", Tensor.of(new float[1], 1));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, notText, Map.of()))
                .isInstanceOf(IllegalArgumentException.class);
        try (var files = Files.list(folder)) {
            assertThat(files).isEmpty();
        }
    }
}
