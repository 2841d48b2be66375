package jdiffusion.lab;

import java.io.IOException;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.lab.ProgramsTest.Case;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What Triton 3.8 makes of the kernels in {@code programs/triton.py} for sm_80, and of two for sm_120, against results
 * of the host. Triton launches with as many threads as warps were asked for, the shared memory that it says, and two
 * more arguments for memory that these kernels do not need.
 */
class TritonProgramsTest {

    static Stream<Case> programs() {
        return Stream.of(
            ProgramsTest.of("triton_add", "triton_add<<<2,128>>>(in:x=rand(1500), in:y=rand(1500), out=zeros(1500),"
                + " 1500, 0, 0)", "out", 1e-6, b -> i -> b.get("x").get(i) + b.get("y").get(i)),
            ProgramsTest.of("triton_softmax", "triton_softmax<<<3,128,16>>>(in:x=rand(3x200), out=zeros(3x200), 200, 0,"
                + " 0)", "out", 1e-6, b -> i -> Math.exp(b.get("x").get(i)) / IntStream.range(0, 200)
                    .mapToDouble(k -> Math.exp(b.get("x").get(i / 200 * 200 + k))).sum()),
            ProgramsTest.of("triton_matmul", "triton_matmul<<<(2,2),128,8192>>>(in:a=rand(64x96,f16), in:b=rand("
                + "96x64,f16), c=zeros(64x64), 64, 64, 96, 0, 0)", "c", 1e-4, b -> i -> product(b, i, 96, 64)),
            ProgramsTest.of("triton_matmul_tf32", "triton_matmul<<<(2,2),128,16384>>>(in:a=rand(64x96), in:b=rand("
                + "96x64), c=zeros(64x64), 64, 64, 96, 0, 0)", "c", 2e-3, b -> i -> product(b, i, 96, 64)),
            ProgramsTest.of("triton_int8", "triton_int8<<<1,128,4096>>>(in:a=rand(32x64,i8), in:b=rand(32x64,i8),"
                + " c=zeros(32x32,i32), 0, 0)", "c", 0, b -> i -> IntStream.range(0, 64).mapToDouble(k ->
                    b.get("a").get(i / 32 * 64 + k) * b.get("b").get(i % 32 * 64 + k)).sum()),
            gated("triton_bf16"),
            gated("triton_bf16_120"),
            ProgramsTest.of("triton_histogram", "triton_histogram<<<2,128,4096>>>(in:d=rand(900,i32), bins=zeros("
                + "100,i32), 900, 0, 0)", "bins", 0, b -> i -> IntStream.range(0, 900)
                    .filter(k -> b.get("d").get(k) == i).count()),
            layerNorm("triton_layernorm"),
            layerNorm("triton_layernorm_120"),
            ProgramsTest.of("triton_scan", "triton_scan<<<1,128,16>>>(in:x=rand(400,i32), y=zeros(400,i32), 400, 0, 0)",
                "y", 0, b -> i -> ProgramsTest.sum(b.get("x"), 0, i + 1)),
            ProgramsTest.of("triton_attention", "triton_attention<<<2,128,10240>>>(in:q=rand(50x32,f16), in:k=rand("
                + "50x32,f16), in:v=rand(50x32,f16), o=zeros(50x32), 50, 0.25, 0, 0)", "o", 2e-3, b -> i -> {
                    HostArray q = b.get("q");
                    HostArray k = b.get("k");
                    double[] weights = IntStream.range(0, 50).mapToDouble(key -> Math.pow(2, 0.25 * IntStream
                            .range(0, 32).mapToDouble(d -> q.get(i / 32 * 32 + d) * k.get(key * 32 + d)).sum()))
                            .toArray();
                    return IntStream.range(0, 50).mapToDouble(key -> weights[key] * b.get("v").get(key * 32 + i % 32))
                            .sum() / DoubleStream.of(weights).sum();
                }),
            ProgramsTest.of("triton_argmax", "triton_argmax<<<3,128,32>>>(in:x=rand(3x200), v=zeros(3),"
                + " at=zeros(3,i32), 200, 0, 0)", "at", 0, b -> row -> IntStream.range(0, 200).reduce(0, (best, k) ->
                    b.get("x").get(row * 200 + k) > b.get("x").get(row * 200 + best) ? k : best)),
            ProgramsTest.of("triton_sort", "triton_sort<<<1,128,1024>>>(in:x=rand(256,i32), y=zeros(256,i32), 0, 0)",
                "y", 0, b -> i -> IntStream.range(0, 256).mapToDouble(k -> b.get("x").get(k)).sorted()
                    .toArray()[(int) i]),
            ProgramsTest.of("triton_transpose", "triton_transpose<<<1,128,4096>>>(in:x=rand(32x64,f16), y=zeros(64x32,"
                + "f16), 0, 0)", "y", 0, b -> i -> b.get("x").get(i % 32 * 64 + i / 32)),
            ProgramsTest.of("triton_lock", "triton_lock<<<4,128,16>>>(lock=zeros(1,i32), s=zeros(1), in:x=rand(1000),"
                + " 1000, 0, 0)", "s", 1e-4, b -> _ -> ProgramsTest.sum(b.get("x"), 0, 1000)),
            ProgramsTest.of("triton_random", "triton_random<<<2,64>>>(y=zeros(500,i32), 500, 42, 0, 0)", "y", 0,
                _ -> i -> philox((int) i, 42)));
    }

    /** A product of matrices with a sigmoid, logarithms and the error function behind it. */
    private static Case gated(String program) {
        return ProgramsTest.of(program, "triton_bf16<<<1,128,4096>>>(in:a=rand(32x32,bf16), in:b=rand(32x32,bf16),"
            + " c=zeros(32x32,bf16), 0, 0)", "c", 8e-3, b -> i -> {
                double s = product(b, i, 32, 32);
                return s / (1 + Math.exp(-s)) + (s > 4 ? Math.sqrt(s) : Math.log(s + 1))
                        + (s > 3.5 ? 1 : ProgramsTest.errorFunction(s));
            });
    }

    private static Case layerNorm(String program) {
        return ProgramsTest.of(program, "triton_layernorm<<<2,128,2048>>>(in:x=rand(2x300,bf16), in:w=rand(300),"
            + " in:b=rand(300), y=zeros(2x300), 300, 1e-5, 0, 0)", "y", 1e-4, b -> i -> {
                HostArray x = b.get("x");
                long row = i / 300 * 300;
                double mean = ProgramsTest.sum(x, row, row + 300) / 300;
                double variance = IntStream.range(0, 300).mapToDouble(k -> Math.pow(x.get(row + k) - mean, 2)).sum()
                        / 300;
                return (x.get(i) - mean) / Math.sqrt(variance + 1e-5) * b.get("w").get(i % 300)
                        + b.get("b").get(i % 300);
            });
    }

    /** An element of the product of the matrices a and b. */
    private static double product(Map<String, HostArray> arrays, long at, int depth, int columns) {
        return IntStream.range(0, depth).mapToDouble(k -> arrays.get("a").get(at / columns * depth + k)
                * arrays.get("b").get((long) k * columns + at % columns)).sum();
    }

    /** Philox 4x32 with ten rounds, whose first word Triton's randint gives: Salmon and others, SC 2011. */
    private static int philox(int counter, int seed) {
        int[] c = {counter, 0, 0, 0};
        int[] key = {seed, 0};
        for (int round = 0; round < 10; round++) {
            long a = 0xD2511F53L * (c[0] & 0xffffffffL);
            long b = 0xCD9E8D57L * (c[2] & 0xffffffffL);
            c = new int[] {(int) (b >>> 32) ^ c[1] ^ key[0], (int) b, (int) (a >>> 32) ^ c[3] ^ key[1], (int) a};
            key[0] += 0x9E3779B9;
            key[1] += 0xBB67AE85;
        }
        return c[0];
    }

    @ParameterizedTest
    @MethodSource("programs")
    void givesWhatTheHostComputes(Case program) throws IOException {
        ProgramsTest.check(program);
    }
}
