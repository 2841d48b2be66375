package jdiffusion.tensor.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsHeaderTest {
    private static final String AGAIN = "; download the file again";

    /** A file of that header, single quotes for double ones, and so many bytes of data. */
    static byte[] file(String json, int dataSize) {
        return file(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8), dataSize);
    }

    static byte[] file(byte[] json, int dataSize) {
        return ByteBuffer.allocate(8 + json.length + dataSize).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length).put(json).array();
    }

    private static SafetensorsHeader parse(byte[] file) {
        return SafetensorsHeader.parse("f", MemorySegment.ofArray(file));
    }

    private static byte[] length(long length, int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
    }

    private static String tensor(String name, String shape, long begin, long end) {
        return "'" + name + "':{'dtype':'U8','shape':" + shape + ",'data_offsets':[" + begin + "," + end + "]}";
    }

    @Test
    void readsTensorsAndMetadataInAnyOrder() {
        SafetensorsHeader header = parse(file("{'b':{'data_offsets':[6,12],'shape':[3,1],'dtype':'BF16'},"
                + "'__metadata__':{'format':'pt','':'\\u00e9'},"
                + "'a':{'dtype':'I16','shape':[3],'data_offsets':[0,6]},"
                + "'scalar':{'dtype':'F8_E5M2','shape':[],'data_offsets':[12,13]}} \n ", 13));
        assertThat(header.metadata()).isEqualTo(Map.of("format", "pt", "", "\u00e9"));
        assertThat(header.tensors().keySet()).containsExactly("a", "b", "scalar");
        assertThat(header.tensors().get("b"))
                .isEqualTo(new SafetensorsHeader.Entry(DType.BF16, Shape.of(3, 1), 6, 12));
        assertThat(header.tensors().get("scalar").shape()).isEqualTo(Shape.of());
    }

    @Test
    void emptyTensorsMayLieAnywhereBetweenOthers() {
        SafetensorsHeader header = parse(file("{" + tensor("x", "[2]", 0, 2) + "," + tensor("e", "[0,7]", 2, 2) + ","
                + tensor("d", "[0]", 0, 0) + "," + tensor("y", "[1]", 2, 3) + "," + tensor("z", "[3,0]", 3, 3) + "}",
                3));
        assertThat(header.tensors()).hasSize(5);
        assertThat(parse(file("{}", 0)).tensors()).isEmpty();
    }

    @Test
    void nullInPlaceOfMetadata() {
        assertThat(parse(file("{'__metadata__':null," + tensor("x", "[2]", 0, 2) + "}", 2)).metadata()).isEmpty();
        assertThat(parse(file("{'__metadata__':{'a':null,'b':'c'}}", 0)).metadata()).isEqualTo(Map.of("b", "c"));
    }

    @Test
    void oddNamesAreKept() {
        String odd = tensor("\u4e2d\\n\\u0000\\ud800", "[0]", 0, 0);
        assertThat(parse(file("{" + tensor("", "[0]", 0, 0) + "," + odd + "}", 0)).tensors().keySet())
                .containsExactly("", "\u4e2d\n\0\ud800");
    }

    static Stream<Arguments> hostileFiles() {
        String good = "'dtype':'F32','shape':[2],'data_offsets':[0,8]";
        return Stream.of(
                Arguments.of(new byte[3], "f: has 3 bytes, too few for a safetensors file"),
                Arguments.of(length(-1, 99), "its header would have 18446744073709551615 bytes, but the format allows"
                        + " 100000000"),
                Arguments.of(length(Long.MIN_VALUE, 99), "would have 9223372036854775808 bytes"),
                Arguments.of(length(100_000_001, 99), "would have 100000001 bytes"),
                Arguments.of(length(100_000_000, 99),
                        "is cut short: its header has 100000000 bytes, but only 91 follow"),
                Arguments.of(length(92, 99), "is cut short: its header has 92 bytes, but only 91 follow"),
                Arguments.of(length(0, 99), "header of 0 bytes does not start with '{'"),
                Arguments.of(length(91, 99), "header of 91 bytes does not start with '{'"),
                Arguments.of("<!DOCTYPE html><html>".getBytes(), "is not a safetensors file, or a damaged one"),
                Arguments.of(file("[]", 0), "does not start with '{'"),
                Arguments.of(file(" {}", 0), "does not start with '{'"),
                Arguments.of(file("{", 0), "the header is damaged: it is not valid JSON"),
                Arguments.of(file("{'a'", 0), "not valid JSON"),
                Arguments.of(file("{'a':{" + good + "}", 8), "not valid JSON"),
                Arguments.of(file("{'a':{" + good + "},}", 8), "not valid JSON"),
                Arguments.of(file("{'a':{" + good.replace("[2]", "[02]") + "}}", 8), "not valid JSON"),
                Arguments.of(file("{a:{" + good + "}}", 8), "not valid JSON"),
                Arguments.of(file("{}x", 0), "not valid JSON"),
                Arguments.of(file("{} {}", 0), "something follows the closing brace" + AGAIN),
                Arguments.of(file("{}\0", 0), "not valid JSON"),
                Arguments.of(file(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'}, 0),
                        "it is not UTF-8" + AGAIN),
                Arguments.of(file(new byte[] {'{', '"', (byte) 0xc0, (byte) 0x80, '"'}, 0), "it is not UTF-8" + AGAIN),
                Arguments.of(file("{}".getBytes(StandardCharsets.UTF_16LE), 0), "not valid JSON"),
                Arguments.of(file("{'a':" + "[".repeat(100_000), 0), "tensor a is not an object {...}"),
                Arguments.of(file("{'a':{'dtype':" + "[".repeat(100_000), 0), "the dtype of tensor a is not a string"),
                Arguments.of(file("{'a':{'shape':" + "[".repeat(100_000), 0), "shape of tensor a has ["),
                Arguments.of(file("{'a':1}", 0), "tensor a is not an object"),
                Arguments.of(file("{'a':null}", 0), "tensor a is not an object"),
                Arguments.of(file("{'a':{'shape':[2],'data_offsets':[0,8]}}", 8), "tensor a lacks its dtype"),
                Arguments.of(file("{'a':{'dtype':'F32','data_offsets':[0,8]}}", 8), "tensor a lacks its shape"),
                Arguments.of(file("{'a':{'dtype':'F32','shape':[2]}}", 8), "tensor a lacks its data_offsets"),
                Arguments.of(file("{'a':{" + good + ",'x\\u001b':1}}", 8), "tensor a has the field x\\u001b, but"),
                Arguments.of(file("{'a':{" + good + ",'shape':[2]}}", 8), "tensor a has shape twice"),
                Arguments.of(file("{'a':{" + good + ",'dtype':'F32'}}", 8), "tensor a has dtype twice"),
                Arguments.of(file("{'a':{" + good + ",'data_offsets':[0,8]}}", 8), "tensor a has data_offsets twice"),
                Arguments.of(file("{'a':{" + good + "},'a':{" + good + "}}", 8), "tensor a is there twice"),
                Arguments.of(file("{'a':{" + good + "},'\\u0061':{" + good + "}}", 8), "tensor a is there twice"),
                Arguments.of(file("{'\\u00e9\\n':1}", 0), "tensor \\u00e9\\u000a is not an object"),
                Arguments.of(file("{'a':{" + good.replace("F32", "F4") + "}}", 8),
                        "tensor a has dtype F4, which is not one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64, I32,"
                        + " I16, I8, U8, BOOL, U64, U32, U16; convert the file to one of these"),
                Arguments.of(file("{'a':{" + good.replace("'F32'", "4") + "}}", 8),
                        "dtype of tensor a is not a string"),
                Arguments.of(file("{'a':{" + good.replace("[2]", "2") + "}}", 8), "shape of tensor a is not a list"),
                Arguments.of(file("{" + tensor("a", "[-1]", 0, 0) + "}", 0),
                        "the shape of tensor a has -1 where a whole number from 0 to 2^63 - 1 is needed"),
                Arguments.of(file("{" + tensor("a", "[1.0]", 0, 1) + "}", 1), "the shape of tensor a has 1.0 where"),
                Arguments.of(file("{" + tensor("a", "['1']", 0, 1) + "}", 1), "the shape of tensor a has 1 where"),
                Arguments.of(file("{" + tensor("a", "[null]", 0, 1) + "}", 1), "has null where"),
                Arguments.of(file("{" + tensor("a", "[NaN]", 0, 1) + "}", 1), "not valid JSON"),
                Arguments.of(file("{" + tensor("a", "[1e3]", 0, 1000) + "}", 1000), "has 1e3 where"),
                Arguments.of(file("{" + tensor("a", "[9223372036854775808]", 0, 0) + "}", 0),
                        "has 9223372036854775808 where"),
                Arguments.of(file("{" + tensor("a", "[" + "9".repeat(900) + "]", 0, 0) + "}", 0), "has 999999"),
                Arguments.of(file("{" + tensor("a", "[" + "9".repeat(90_000) + "]", 0, 0) + "}", 0), "f: the header"),
                Arguments.of(file("{" + tensor("a", "[2147483648,0]", 0, 0) + "}", 0),
                        "tensor a has the shape [2147483648, 0], larger than"),
                Arguments.of(file("{" + tensor("a", "[65536,65536,0]", 0, 0) + "}", 0), "larger than"),
                Arguments.of(file("{" + tensor("a", "[2147483647,2147483647,2147483647,0]", 0, 0) + "}", 0),
                        "larger than"),
                Arguments.of(file("{'a':{'dtype':'F64','shape':[2147483647,2147483647],'data_offsets':[0,0]}}", 0),
                        "larger than"),
                Arguments.of(file("{" + tensor("a", "[" + "1,".repeat(64) + "1]", 0, 1) + "}", 1),
                        "the shape of tensor a has more than 64 numbers"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[]") + "}}", 8),
                        "data_offsets of tensor a are [], not a begin and an end after it"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[8]") + "}}", 8),
                        "data_offsets of tensor a are [8]"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[0,8,8]") + "}}", 8), "has more than 2 numbers"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[8,0]") + "}}", 8), "are [8, 0], not a begin"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[-8,0]") + "}}", 8), "tensor a has -8 where"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[0,7]") + "}}", 7),
                        "tensor a, F32[2], needs 8 bytes, but its data_offsets [0, 7] give it 7"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[0,9223372036854775807]") + "}}", 8),
                        "give it 9223372036854775807"),
                Arguments.of(file("{'a':{" + good + "}}", 7),
                        "f: is cut short: its tensors need 8 bytes of data, but the file has 7; download it again"),
                Arguments.of(file("{'a':{" + good + "}}", 9),
                        "f: is damaged: its tensors need 8 bytes of data, but the file has 9; download it again"),
                Arguments.of(file("{'a':{" + good.replace("[0,8]", "[9223372036854775799,9223372036854775807]") + "}}",
                        8), "tensor a begins at byte 9223372036854775799 of the data, but the one before it ends at 0"),
                Arguments.of(file("{}", 1), "its tensors need 0 bytes of data, but the file has 1"),
                Arguments.of(file("{" + tensor("a", "[2]", 0, 2) + "," + tensor("b", "[2]", 1, 3) + "}", 3),
                        "tensor b begins at byte 1 of the data, but the one before it ends at 2, so they overlap"),
                Arguments.of(file("{" + tensor("a", "[2]", 0, 2) + "," + tensor("b", "[2]", 0, 2) + "}", 2),
                        "tensor b begins at byte 0 of the data, but the one before it ends at 2, so they overlap"),
                Arguments.of(file("{" + tensor("a", "[2]", 0, 2) + "," + tensor("b", "[2]", 3, 5) + "}", 5),
                        "tensor b begins at byte 3 of the data, but the one before it ends at 2, so bytes between"
                        + " belong to none"),
                Arguments.of(file("{" + tensor("a", "[2]", 0, 2) + "," + tensor("e", "[0]", 1, 1) + "}", 2), "so they"),
                Arguments.of(file("{" + tensor("a", "[2]", 0, 2) + "," + tensor("e", "[0]", 9, 9) + "}", 2),
                        "so bytes"),
                Arguments.of(file("{'__metadata__':[]}", 0), "__metadata__ is not an object"),
                Arguments.of(file("{'__metadata__':{'a':1}}", 0), "the __metadata__ entry a is not a string"),
                Arguments.of(file("{'__metadata__':{'a':{'b':'c'}}}", 0), "the __metadata__ entry a is not a string"),
                Arguments.of(file("{'__metadata__':{'a':'1','a':'1'}}", 0), "the __metadata__ entry a is there twice"),
                Arguments.of(file("{'__metadata__':{},'__metadata__':{}}", 0), "__metadata__ is there twice"),
                Arguments.of(file("{'" + "n".repeat(1_000_000) + "':1}", 0), "f: the header is damaged: "));
    }

    @ParameterizedTest
    @MethodSource("hostileFiles")
    void hostileFilesAreRejectedInOneLine(byte[] file, String message) {
        assertThatThrownBy(() -> parse(file)).isInstanceOf(InputException.class).hasMessageStartingWith("f: ")
                .hasMessageContaining(message)
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(600).doesNotContain("\n"));
    }

    @Test
    void tooManyEntriesAreRejectedBeforeTheyFillTheHeap() {
        StringBuilder tensors = new StringBuilder("{");
        StringBuilder metadata = new StringBuilder("{'__metadata__':{");
        for (int i = 0; i <= 200_000; i++) {
            tensors.append(tensor("t" + i, "[0]", 0, 0)).append(',');
            metadata.append("'").append(i).append("':'',");
        }
        assertThatThrownBy(() -> parse(file(tensors.toString(), 0))).isInstanceOf(InputException.class)
                .hasMessageContaining("it has more than 200000 tensors");
        assertThatThrownBy(() -> parse(file(metadata.toString(), 0))).isInstanceOf(InputException.class)
                .hasMessageContaining("it has more than 200000 __metadata__ entries");
    }
}
