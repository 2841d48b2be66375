package jdiffusion.tensor.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufHeaderTest {
    private static GgufHeader parse(byte[] file) {
        return GgufHeader.parse("f", MemorySegment.ofArray(file));
    }

    private static GgufBytes start(long tensors, long metadata) {
        return GgufBytes.start(3, tensors, metadata);
    }

    /** One tensor and its data. */
    private static byte[] one(int type, long offset, int data, long... dims) {
        return start(1, 0).tensor("a.w", type, offset, dims).pad(32).zeros(data).bytes();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void readsMetadataOfEveryType(int version) {
        GgufBytes file = GgufBytes.start(version, 1, 18);
        file.key("u8", 0).u8(200).key("i8", 1).u8(200).key("u16", 2).u16(40_000).key("i16", 3).u16(40_000);
        file.key("u32", 4).u32(-2).key("i32", 5).u32(-2).key("f32", 6).u32(0x3f800000).key("bool", 7).u8(1);
        file.key("text", 8).text("\u00e9\u4e2d").key("u64", 10).u64(1L << 40).key("i64", 11).u64(-5);
        file.key("f64", 12).u64(1).key("general.alignment", 4).u32(64);
        file.key("ints", 9).u32(5).u64(3).u32(7).u32(-8).u32(9);
        file.key("words", 9).u32(8).u64(2).text("one").text("");
        file.key("floats", 9).u32(6).u64(2).u32(0).u32(0);
        file.key("nested", 9).u32(9).u64(2).u32(0).u64(1).u8(5).u32(8).u64(1).text("x");
        file.key("long", 9).u32(0).u64(1000).zeros(1000);
        file.tensor("t", 0, 0, 2, 3).pad(64).zeros(24);
        GgufHeader header = parse(file.bytes());
        assertThat(header.metadata().texts()).containsOnlyKeys("text").containsEntry("text", "\u00e9\u4e2d");
        assertThat(header.metadata().numbers()).containsEntry("u8", 200L).containsEntry("i8", -56L)
                .containsEntry("u16", 40_000L).containsEntry("i16", -25_536L).containsEntry("u32", 0xfffffffeL)
                .containsEntry("i32", -2L).containsEntry("bool", 1L).containsEntry("u64", 1L << 40)
                .containsEntry("i64", -5L).containsEntry("general.alignment", 64L).hasSize(10);
        assertThat(header.metadata().lists()).containsOnlyKeys("ints");
        assertThat(header.metadata().lists().get("ints")).containsExactly(7, -8, 9);
        GgufHeader.Entry tensor = header.tensors().get("t");
        assertThat(tensor.shape()).isEqualTo(Shape.of(3, 2));
        assertThat(tensor.end()).isEqualTo(file.bytes().length);
        assertThat(tensor.begin() % 64).isZero();
    }

    @Test
    void readsTensorsOfEveryKind() {
        GgufBytes file = start(6, 0).tensor("scalar", 28, 64).tensor("blocks", 12, 96, 512, 3, 1, 2)
                .tensor("empty", 0, 1 << 20, 4, 0).tensor("bytes", 24, 32, 5).tensor("", 30, 0, 3)
                .tensor("q", 8, 96 + 2 * 3 * 2 * 144, 32).pad(32).zeros(96 + 1728 + 34);
        var tensors = parse(file.bytes()).tensors();
        assertThat(tensors).containsOnlyKeys("", "blocks", "bytes", "empty", "q", "scalar");
        assertThat(tensors.get("scalar").plain()).isEqualTo(DType.F64);
        assertThat(tensors.get("scalar").shape()).isEqualTo(Shape.of());
        assertThat(tensors.get("blocks").blocks()).isEqualTo(BlockFormat.Q4_K);
        assertThat(tensors.get("blocks").plain()).isNull();
        assertThat(tensors.get("blocks").shape()).isEqualTo(Shape.of(2, 1, 3, 512));
        assertThat(tensors.get("blocks").end() - tensors.get("blocks").begin()).isEqualTo(1728);
        assertThat(tensors.get("q").end()).isEqualTo(file.bytes().length);
        assertThat(tensors.get("empty").shape().size()).isZero();
    }

    static Stream<Arguments> hostileFiles() {
        return Stream.of(
                Arguments.of(new byte[23], "f: has 23 bytes, too few for a GGUF file"),
                Arguments.of(new GgufBytes().u32(0x04034b50).zeros(30).bytes(),
                        "f: is not a GGUF file: it starts with the bytes 504b0304, not 47475546 (GGUF)"),
                Arguments.of(GgufBytes.start(1, 0, 0).bytes(), "f: is a GGUF file of version 1, but"),
                Arguments.of(GgufBytes.start(4, 0, 0).bytes(), "of version 4, but"),
                Arguments.of(GgufBytes.start(-1, 0, 0).bytes(), "of version 4294967295, but"),
                Arguments.of(GgufBytes.start(0x03000000, 0, 0).bytes(), "for big-endian machines"),
                Arguments.of(start(-1, 0).bytes(), "it would have 18446744073709551615 tensors of at least 24 bytes,"
                        + " but 8 bytes follow"),
                Arguments.of(start(1, 0).zeros(15).bytes(), "it would have 1 tensors of at least 24 bytes, but 23"),
                Arguments.of(start(0, 1L << 60).zeros(50).bytes(), "1152921504606846976 metadata entries of at least"),
                Arguments.of(start(200_001, 0).zeros(24 * 200_001).bytes(), "it has 200001 tensors, more than 200000"),
                Arguments.of(start(0, 1).u64(9).zeros(13).bytes(), "the metadata \\u0000"),
                Arguments.of(start(0, 1).u64(1000).zeros(20).bytes(),
                        "it would have 1000 bytes of a key of the metadata, but 20 bytes follow"),
                Arguments.of(start(0, 1).key("k", 13).zeros(9).bytes(), "the metadata k is of type 13, but the format"
                        + " has 13 types"),
                Arguments.of(start(0, 1).key("k", 8).u64(-1).bytes(),
                        "18446744073709551615 bytes of the metadata k, but 0 bytes follow"),
                Arguments.of(start(0, 1).key("k", 9).u32(10).u64(1L << 61).bytes(),
                        "2305843009213693952 elements of the metadata k of at least 8 bytes, but 0 bytes follow"),
                Arguments.of(start(0, 1).key("key", 12).u32(0).bytes(), "cut short or damaged: the metadata key at byte"
                        + " 39 needs 8 bytes, but the file has 43"),
                Arguments.of(start(0, 2).key("k", 0).u8(0).key("k", 0).u8(0).bytes(), "the metadata k is there twice"),
                Arguments.of(nested(12), "the metadata k has arrays in arrays, more than 8 deep"),
                Arguments.of(start(0, 1).key("general.alignment", 4).u32(0).bytes(), "its alignment"
                        + " (general.alignment) is 0, not a power of two"),
                Arguments.of(start(0, 1).key("general.alignment", 4).u32(48).bytes(), "is 48, not a power of two"),
                Arguments.of(start(0, 1).key("general.alignment", 8).text("32").bytes(), "is no number"),
                Arguments.of(one(0, 0, 96, 1, 1, 1, 1, 24), "tensor a.w has 5 dimensions, but the format allows 4"),
                Arguments.of(one(23, 0, 96, 24), "f: tensor a.w is stored as IQ4_XS, which cannot be read; use"),
                Arguments.of(one(34, 0, 96, 24), "tensor a.w is stored as TQ1_0,"),
                Arguments.of(one(39, 0, 96, 24), "tensor a.w is stored as MXFP4,"),
                Arguments.of(one(77, 0, 96, 24), "tensor a.w is stored as type 77,"),
                Arguments.of(one(-1, 0, 96, 24), "tensor a.w is stored as type 4294967295,"),
                Arguments.of(one(8, 0, 96, 33), "tensor a.w has rows of 33 elements, not whole Q8_0 blocks of 32"),
                Arguments.of(one(12, 0, 999, 32, 8), "rows of 32 elements, not whole Q4_K blocks of 256"),
                Arguments.of(one(8, 0, 96), "rows of 1 elements, not whole Q8_0 blocks of 32"),
                Arguments.of(one(0, 0, 95, 24), "cut short or damaged: tensor a.w, F32[24], needs 96 bytes at offset 0"
                        + " of the data, but the file has 95 bytes of data"),
                Arguments.of(one(0, 32, 96, 24), "needs 96 bytes at offset 32 of the data, but the file has 96"),
                Arguments.of(one(0, 1L << 62, 96, 24), "needs 96 bytes at offset 4611686018427387904"),
                Arguments.of(one(0, -32, 96, 24), "has the offset 18446744073709551584, which is no multiple"),
                Arguments.of(one(0, 8, 196, 24), "tensor a.w has the offset 8, which is no multiple of the alignment"
                        + " 32"),
                Arguments.of(start(1, 0).tensor("a", 0, 0, 24).bytes(), "but the file has 0 bytes of data"),
                Arguments.of(one(0, 0, 96, 1L << 31), "tensor a.w has the shape [2147483648], larger than"),
                Arguments.of(one(0, 0, 96, 2, 1 << 16, 1 << 16), "has the shape [65536, 65536, 2], larger than"),
                Arguments.of(one(0, 0, 96, 0, 1 << 16, 1 << 16), "has the shape [65536, 65536, 0], larger than"),
                Arguments.of(one(0, 0, 96, -1), "has the shape [18446744073709551615], larger than"),
                Arguments.of(one(28, 0, 96, Integer.MAX_VALUE, Integer.MAX_VALUE), "larger than the 2^31 - 1 rows"),
                Arguments.of(one(8, 0, 96, 1L << 30), "has the shape [1073741824], larger than"),
                Arguments.of(start(2, 0).tensor("a", 0, 0, 8).tensor("a", 0, 32, 8).pad(32).zeros(64).bytes(),
                        "tensor a is there twice"),
                Arguments.of(start(2, 0).tensor("b", 0, 32, 1).tensor("a", 0, 0, 9).pad(32).zeros(64).bytes(),
                        "tensor b begins at byte 128 of the file, but tensor a ends at 132"),
                Arguments.of(start(2, 0).tensor("a", 0, 0, 8).tensor("b", 0, 0, 8).pad(32).zeros(64).bytes(),
                        "begins at byte 96 of the file, but tensor"));
    }

    private static byte[] nested(int depth) {
        GgufBytes file = start(0, 1).key("k", 9);
        for (int i = 0; i < depth; i++) {
            file.u32(9).u64(1);
        }
        return file.zeros(40).bytes();
    }

    @ParameterizedTest
    @MethodSource
    void hostileFiles(byte[] file, String message) {
        assertThatThrownBy(() -> parse(file)).isInstanceOf(InputException.class).hasMessageStartingWith("f: ")
                .hasMessageContaining(message);
    }

    /** In a file with a hole, of which nothing is read. */
    @Test
    void aHeaderHasALargestSize(@TempDir Path folder) throws IOException {
        Path path = Files.write(folder.resolve("f"), start(0, 2).key("a", 9).u32(0).u64(99_999_940).bytes());
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), 101_000_000);
        }
        assertThatThrownBy(() -> GgufFile.open(path)).isInstanceOf(InputException.class)
                .hasMessageContaining("its header is longer than 100000000 bytes, at");
    }
}
