package jdiffusion.tensor.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufFileTest {
    @TempDir
    Path folder;

    private static OutputFile.Content bytes(byte[] bytes) {
        return channel -> channel.write(ByteBuffer.wrap(bytes));
    }

    private static byte[] sequence(int n) {
        byte[] bytes = new byte[n];
        for (int i = 0; i < n; i++) {
            bytes[i] = (byte) (i * 37 + 11);
        }
        return bytes;
    }

    private static float[] decoded(Weight w) {
        float[] values = new float[w.rows() * w.cols()];
        for (int r = 0; r < w.rows(); r++) {
            w.read(r, 0, w.cols(), values, r * w.cols());
        }
        return values;
    }

    @Test
    void longArraysAreReadWhenAskedFor() {
        Path path = folder.resolve("w.gguf");
        List<String> words = IntStream.range(0, 1000).mapToObj(i -> "w" + i).toList();
        byte[] bytes = sequence(300);
        new GgufWriter().put("words", words).put("scores", new float[] {1.5f, -2}).put("bytes", bytes)
                .put("types", new int[] {-1, 7}).put("text", "x").put("none", List.of()).write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.textArray("words")).contains(words);
            assertThat(file.textArray("words")).contains(words);
            assertThat(file.numberArray("scores")).hasValueSatisfying(v -> assertThat(v).containsExactly(1.5, -2));
            assertThat(file.numberArray("types")).hasValueSatisfying(v -> assertThat(v).containsExactly(-1, 7));
            assertThat(file.numberArray("bytes")).hasValueSatisfying(v -> assertThat(v).hasSize(300)
                    .startsWith(11, 48).contains(bytes[9] & 0xff));
            assertThat(file.textArray("none")).contains(List.of());
            assertThat(file.numberArray("words")).isEmpty();
            assertThat(file.textArray("scores")).isEmpty();
            assertThat(file.textArray("text")).isEmpty();
            assertThat(file.textArray("other")).isEmpty();
        }
    }

    @Test
    void anArrayOfTooManyNumbers() {
        Path path = folder.resolve("w.gguf");
        new GgufWriter().put("bytes", new byte[(1 << 22) + 1]).write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThatThrownBy(() -> file.numberArray("bytes")).isInstanceOf(InputException.class)
                    .hasMessageContainingAll("w.gguf", "bytes has 4194305 elements, more than 4194304");
        }
    }

    @Test
    void whatIsWrittenIsRead() {
        Path path = folder.resolve("w.gguf");
        byte[] blocks = sequence(6 * 34);
        GgufWriter writer = new GgufWriter().put("general.architecture", "sd3").put("version", 2)
                .put("big", 1L << 40).put("factor", 0.5f).put("words", List.of("a", "b"))
                .put("comfy.gguf.orig_shape.s", new int[] {1, 2, 3});
        writer.add(new GgufWriter.Entry("q", BlockFormat.Q8_0.ggmlType(), new long[] {3, 64}, 204, bytes(blocks)));
        writer.add(new GgufWriter.Entry("s", GgmlType.of(DType.I8), new long[] {6}, 6, bytes(sequence(6))));
        writer.add(new GgufWriter.Entry("e", GgmlType.of(DType.F32), new long[] {0, 5}, 0, bytes(new byte[0])));
        writer.add(new GgufWriter.Entry("h", GgmlType.of(DType.BF16), new long[] {2, 1, 1, 3}, 12,
                bytes(sequence(12))));
        writer.write(path);
        assertThat(path).hasSize(writer.fileSize());
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.names()).containsExactly("e", "h", "q", "s");
            assertThat(file.text("general.architecture")).hasValue("sd3");
            assertThat(file.text("version")).isEmpty();
            assertThat(file.number("version")).hasValue(2);
            assertThat(file.number("big")).hasValue(1L << 40);
            assertThat(file.number("factor")).isEmpty();
            assertThat(file.shape("q")).isEqualTo(Shape.of(3, 64));
            assertThat(file.find("q")).isNull();
            assertThat(file.weight("q")).isInstanceOf(Weight.Blocks.class);
            assertThat(((Weight.Blocks) file.weight("q")).bytes().data().mismatch(MemorySegment.ofArray(blocks)))
                    .isEqualTo(-1);
            assertThat(file.format("q")).isEqualTo(BlockFormat.Q8_0);
            assertThat(file.find("s").shape()).isEqualTo(Shape.of(1, 2, 3));
            assertThat(file.find("s").type()).isEqualTo(DType.I8);
            assertThat(file.find("e").shape()).isEqualTo(Shape.of(0, 5));
            assertThat(file.find("h").shape()).isEqualTo(Shape.of(2, 1, 1, 3));
            assertThat(file.format("h")).isNull();
            assertThat(file.byteSize()).isEqualTo(204 + 6 + 12);
            assertThat(List.of(file.shape("e"), file.shape("h"))).doesNotContainNull();
            assertThat(file.find("x")).isNull();
            assertThat(file.weight("x")).isNull();
            assertThat(file.shape("x")).isNull();
            assertThat(file.format("x")).isNull();
        }
    }

    @Test
    void theSameIsWrittenTwiceAndNothingIsLeftOfAFailure() throws IOException {
        Path path = folder.resolve("w.gguf");
        GgufWriter writer = new GgufWriter().put("k", "v");
        writer.add(new GgufWriter.Entry("a", 0, new long[] {2}, 8, bytes(sequence(8))));
        writer.write(path);
        byte[] first = Files.readAllBytes(path);
        writer.write(path);
        assertThat(path).hasBinaryContent(first);
        writer.add(new GgufWriter.Entry("b", 0, new long[] {2}, 8, bytes(sequence(7))));
        assertThatThrownBy(() -> writer.write(path)).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("content of b");
        assertThat(path).hasBinaryContent(first);
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(path);
        }
    }

    @Test
    void mistakesOfAWriterAreNamed() {
        GgufWriter writer = new GgufWriter().put("k", 1);
        assertThatIllegalArgumentException().isThrownBy(() -> writer.put("k", "v")).withMessageContaining("k twice");
        refuse(8, 33, 1, 34);
        refuse(77, 32, 1, 34);
        refuse(8, 32, 1, 33);
        refuse(1, 3, 2, 11);
        assertThatIllegalArgumentException().isThrownBy(() -> new GgufWriter.Entry("t", 0, new long[5], 0, null));
        assertThatIllegalArgumentException().isThrownBy(() -> GgmlType.of(DType.F8_E4M3))
                .withMessageContaining("F8_E4M3");
    }

    private static void refuse(int type, long cols, long rows, long size) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GgufWriter.Entry("some", type, new long[] {rows, cols}, size, null))
                .withMessageContaining("some");
    }

    /** The stored rows of 256 are other rows in truth: whole blocks of 32 each, or of 256 over the ends of rows. */
    @Test
    void originalShapesHold() {
        Path path = folder.resolve("w.gguf");
        byte[] small = sequence(2 * 8 * 18);
        byte[] large = sequence(2 * 144);
        new GgufWriter().put("comfy.gguf.orig_shape.small", new int[] {8, 64})
                .put("comfy.gguf.orig_shape.large", new int[] {4, 32, 2, 2})
                .add(new GgufWriter.Entry("small", BlockFormat.Q4_0.ggmlType(), new long[] {2, 256}, small.length,
                        bytes(small)))
                .add(new GgufWriter.Entry("large", BlockFormat.Q4_K.ggmlType(), new long[] {2, 256}, large.length,
                        bytes(large)))
                .write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.shape("small")).isEqualTo(Shape.of(8, 64));
            assertThat(file.weight("small").rows()).isEqualTo(8);
            assertThat(file.weight("small").cols()).isEqualTo(64);
            assertThat(decoded(file.weight("small"))).isEqualTo(decode(BlockFormat.Q4_0, small));
            assertThat(file.weight("large")).isNull();
            assertThat(file.find("large").shape()).isEqualTo(Shape.of(4, 32, 2, 2));
            assertThat(file.find("large").toArray()).isEqualTo(decode(BlockFormat.Q4_K, large));
        }
    }

    private static float[] decode(BlockFormat format, byte[] bytes) {
        int blocks = bytes.length / format.blockBytes();
        float[] values = new float[blocks * format.blockSize()];
        for (int b = 0; b < blocks; b++) {
            format.decode(MemorySegment.ofArray(bytes), (long) b * format.blockBytes(), values, b * format.blockSize());
        }
        return values;
    }

    @Test
    void anOriginalShapeOfAnotherSizeIsNamed() {
        Path path = folder.resolve("w.gguf");
        for (int[] shape : new int[][] {{5}, {2, 2, 2}, {-2, -2}, {}}) {
            new GgufWriter().put("comfy.gguf.orig_shape.t", shape)
                    .add(new GgufWriter.Entry("t", 24, new long[] {4}, 4, bytes(sequence(4)))).write(path);
            assertThatThrownBy(() -> GgufFile.open(path)).isInstanceOf(InputException.class)
                    .hasMessageContaining("tensor t is [4], but").hasMessageContaining("orig_shape");
        }
    }

    /** What {@code gguf.quants.dequantize} gives for a file that the Python package wrote. */
    @Test
    void whatThePythonPackageGives() {
        Path reference = reference();
        try (GgufFile file = GgufFile.open(reference.resolve("blocks.gguf"));
                SafetensorsFile expected = SafetensorsFile.open(reference.resolve("expected.safetensors"))) {
            assertThat(file.text("general.architecture")).hasValue("sd3");
            assertThat(file.names()).isEqualTo(expected.names()).hasSize(12);
            Weights weights = Weights.of(file, Placement.onHost());
            for (String name : file.names()) {
                Tensor dense = expected.find(name);
                assertThat(file.shape(name)).isEqualTo(dense.shape());
                assertThat(decoded(weights.matrix(name, 5, 512))).as(name).isEqualTo(dense.toArray());
            }
        }
    }

    private static Path reference() {
        String named = System.getenv("JDIFFUSION_SHARED");
        Path found = named == null ? null : Path.of(named);
        for (Path at = Path.of("").toAbsolutePath(); found == null && at != null; at = at.getParent()) {
            if (Files.isDirectory(at.resolve("shared/reference"))) {
                found = at.resolve("shared");
            }
        }
        assumeTrue(found != null, "no folder shared/reference above the working directory, set JDIFFUSION_SHARED");
        return found.resolve("reference/gguf");
    }
}
