package jdiffusion.lab;

import java.io.IOException;
import java.util.function.IntBinaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.lab.ProgramsTest.Case;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Products of matrices in the rarer types and shapes of the tensor cores, against sums of the host. */
class MatrixProgramsTest {
    /** The programs multiply words of small integers by it, so that all bits are used. */
    private static final int STIR = 0x9e3779b1;
    private static final int KEPT = 0xed9c84;

    static Stream<Case> programs() {
        return Stream.of(doubles(8, 4), doubles(16, 4), doubles(16, 8), doubles(16, 16),
            words("s4_k32", 8, 32, 4, 0, (x, y) -> signed(x, 4) * signed(y, 4)),
            words("u4_k64", 16, 64, 4, 2147483000, (x, y) -> x * signed(y, 4)),
            words("xor_k128", 8, 128, 1, 0, (x, y) -> x ^ y),
            words("and_k256", 16, 256, 1, 0, (x, y) -> x & y),
            words("s8_k16", 8, 16, 8, 0, (x, y) -> signed(x, 8) * y),
            ProgramsTest.of("wmma_small", "wmma_double<<<1,32>>>(in:a=rand(8x12,f64), in:b=rand(8x12,f64),"
                + " c=rand(8x8,f64))", "c", 1e-14, b -> i -> b.get("c").get(i % 8 * 8 + i / 8) + IntStream.range(0, 12)
                .mapToDouble(k -> b.get("a").get(i % 8 * 12 + k) * b.get("b").get(i / 8 * 12 + k)).sum()),
            small("wmma_s4", 64, 32, 4, 2147483000, (x, y) -> signed(x, 4) * signed(y, 4)),
            small("wmma_u4", 64, 32, 4, 2147483000, (x, y) -> x * y),
            small("wmma_bits", 256, 128, 1, 1000, (x, y) -> (x ^ y) + (x & y)),
            sparse("f16_k16", "f16", 16, "f32"), sparse("bf16_k32", "bf16", 32, "f32"),
            sparse("tf32_k8", "f32", 8, "f32"), sparse("tf32_k16", "f32", 16, "f32"), sparse("s8_k32", "i8", 32, "i32"), sparse("s8_k64", "i8", 64, "i32"),
            sparse("f16_sums", "f16", 32, "f16"));
    }

    private static int signed(int value, int bits) {
        return value << 32 - bits >> 32 - bits;
    }

    private static Case doubles(int rows, int depth) {
        String launch = "f64_m%dk%d<<<1,32>>>(in:a=rand(%1$dx%2$d,f64), in:b=rand(%2$dx8,f64), c=rand(%1$dx8,f64))";
        return ProgramsTest.of("mma_shapes", launch.formatted(rows, depth), "c", 1e-14, b -> i -> b.get("c").get(i) + IntStream.range(0, depth).mapToDouble(
                k -> b.get("a").get(i / 8 * depth + k) * b.get("b").get(k * 8 + i % 8)).sum());
    }

    /** Element of a row of words in which elements of some bits lie. */
    private static int element(HostArray words, int perRow, long row, int k, int bits) {
        int word = (int) (long) words.get(row * perRow + k * bits / 32) * STIR;
        return word >>> k * bits % 32 & (1 << bits) - 1;
    }

    private static double sum(HostArray a, int perRowA, long row, HostArray b, int perRowB, long column, int depth,
            int bits, IntBinaryOperator product) {
        return IntStream.range(0, depth).map(k -> product.applyAsInt(element(a, perRowA, row, k, bits),
            element(b, perRowB, column, k, bits))).asLongStream().sum();
    }

    /** Rows of words of bytes from 0 to 99. */
    private static Case words(String kernel, int rows, int depth, int bits, int c, IntBinaryOperator product) {
        int perRow = depth * bits / 32;
        return ProgramsTest.of("mma_shapes",
            "%s<<<1,32>>>(in:a=rand(%dx%d,i8), in:b=rand(8x%3$d,i8), c=full(%2$dx8,%4$d,i32))".formatted(kernel, rows,
                4 * perRow, c), "c", 0, b -> i -> Math.min(Integer.MAX_VALUE, c + sum(bytes(b.get("a")), perRow, i / 8,
                bytes(b.get("b")), perRow, i % 8, depth, bits, product)));
    }

    private static Case small(String kernel, int lengthA, int depth, int bits, int c, IntBinaryOperator product) {
        boolean turned = kernel.equals("wmma_bits");
        return ProgramsTest.of("wmma_small",
            "%s<<<1,32>>>(a=rand(8x%d,i8), b=rand(8x%d,i8), c=zeros(8x8,i32))".formatted(kernel,
                lengthA * bits / 8, depth * bits / 8), "c", 0, b -> i -> Math.min(Integer.MAX_VALUE, c + sum(
                bytes(b.get("a")), lengthA * bits / 32, turned ? i % 8 : i / 8, bytes(b.get("b")), depth * bits / 32,
                turned ? i / 8 : i % 8, depth, bits, product)));
    }

    /** The same memory as words. */
    private static HostArray bytes(HostArray array) {
        return new HostArray(DataType.named("u32"), array.shape(), array.data());
    }

    /** Whether mma_sparse.cu keeps an element of A. */
    private static boolean isKept(boolean pairs, long row, int k) {
        if (pairs) {
            return k % 2 == (row + k / 2) % 2;
        }
        int bits = KEPT >> (int) ((row * 5 + k / 4 * 7) % 6) * 4 & 15;
        return k % 4 == (bits & 3) || k % 4 == bits >> 2;
    }

    private static Case sparse(String kernel, String type, int depth, String sums) {
        double tolerance = sums.equals("i32") ? 0 : sums.equals("f16") ? 2e-3 : type.equals("f32") ? 2e-3 : 1e-6;
        return ProgramsTest.of("mma_sparse", "%s<<<1,32>>>(in:a=rand(16x%d,%s), in:b=rand(%2$dx8,%3$s), c=%s(16x8,%s))"
            .formatted(kernel, depth, type, sums.equals("i32") ? "range" : "rand", sums), "c", tolerance,
            b -> i -> b.get("c").get(i) + IntStream.range(0, depth).filter(k -> isKept(type.equals("f32"), i / 8, k))
                .mapToDouble(k -> b.get("a").get(i / 8 * depth + k) * b.get("b").get(k * 8 + i % 8)).sum());
    }

    @ParameterizedTest
    @MethodSource("programs")
    void givesWhatTheHostComputes(Case program) throws IOException {
        ProgramsTest.check(program);
    }
}
