package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.function.IntBinaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.lab.ProgramsTest.Case;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Rarer things that programs do, compiled by nvcc, against results of the host. */
class ForeignProgramsTest {
    /** {@code struct Layers} of grid_constant.cu. */
    private static final String LAYERS = layers();

    private static String layers() {
        ByteBuffer bytes = ByteBuffer.allocate(8 + 2 * 56).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(0, 2);
        for (int layer = 0; layer < 2; layer++) {
            int at = 8 + 56 * layer;
            for (int i = 0; i < 6; i++) {
                bytes.putFloat(at + 4 * i, weight(layer, i));
            }
            bytes.putInt(at + 24, 2 - layer).putInt(at + 28, 3).put(at + 32, (byte) (200 + layer))
                    .put(at + 33, (byte) 7).putDouble(at + 40, 0.5 - layer).putDouble(at + 48, 3);
        }
        return "bytes(" + HexFormat.of().formatHex(bytes.array()) + ")";
    }

    private static float weight(int layer, int i) {
        return i * 0.25f - layer;
    }

    private static double row(HostArray x, int layer, int row) {
        return row >= 2 - layer ? -1 : (row == 0 ? 200 + layer : 7) * ((row == 0 ? 0.5 - layer : 3)
                + IntStream.range(0, 3).mapToDouble(c -> weight(layer, row * 3 + c) * x.get(c)).sum());
    }

    static Stream<Case> programs() {
        return Stream.of(
            ProgramsTest.of("dpx", "dpx<<<1,64>>>(in:a=rand(64,i32), in:b=rand(64,i32), y=zeros(64x12,i32))", "y", 0,
                b -> i -> dpx((int) b.get("a").get(i / 12), (int) b.get("b").get(i / 12), (int) i % 12)),
            ProgramsTest.of("int128", "int128<<<1,64>>>(in:a=rand(64,i64), in:b=rand(64,i64), y=zeros(64x28,u32))", "y",
                0, b -> i -> wide((long) b.get("a").get(i / 28), (long) b.get("b").get(i / 28), (int) i % 28 / 4)
                    .shiftRight((int) i % 4 * 32).longValue() & 0xffffffffL),
            ProgramsTest.of("grid_constant", "grid_constant<<<1,8>>>(" + LAYERS + ", in:x=rand(3), y=zeros(8))", "y", 1e-6,
                b -> i -> row(b.get("x"), (int) i % 2, (int) i / 2)),
            ProgramsTest.of("flags", "flags<<<2,64>>>(in:x=rand(5x32,i32), y=zeros(5x32,i32), 5)", "y", 0,
                b -> i -> b.get("x").get(i / 32 * 32 + 31 - i % 32)),
            ProgramsTest.of("flags", "counted<<<2,128>>>(in:x=rand(128,i32), y=zeros(128,i32))", "y", 0,
                b -> i -> b.get("x").get(i ^ 77)),
            ProgramsTest.of("ldmatrix_trans",
                "ldmatrix_trans<<<1,128>>>(in:a=rand(64x64,f16), in:b=rand(64x64,f16), c=zeros(64x64))", "c", 1e-5,
                b -> i -> IntStream.range(0, 64).mapToDouble(
                    k -> b.get("a").get(i / 64 * 64 + k) * b.get("b").get(k * 64 + i % 64)).sum()));
    }

    private static int pairs(int x, int y, IntBinaryOperator operation) {
        return operation.applyAsInt((short) x, (short) y) & 0xffff
                | operation.applyAsInt((short) (x >> 16), (short) (y >> 16)) << 16;
    }

    private static int unsignedMax(int x, int y) {
        return Integer.compareUnsigned(x, y) >= 0 ? x : y;
    }

    /** What the functions say that dpx.cu calls, in its order. */
    private static int dpx(int a, int b, int which) {
        int p = a * 0x2f0f3b1d;
        int q = b * 0x51a0c92b;
        int r = p ^ q << 11;
        return switch (which) {
            case 0 -> Math.max(Math.max(p, q), r);
            case 1 -> ~unsignedMax(unsignedMax(~p, ~q), ~r);
            case 2 -> Math.max(Math.max(p, q), Math.max(-r, 0));
            case 3 -> Math.max(p + q, r);
            case 4 -> Math.max(Math.max(p - q, -r), 0);
            case 5 -> ~unsignedMax(~(p + q), ~r);
            case 6 -> pairs(pairs(p, q, Math::min), r, Math::min);
            case 7 -> pairs(pairs(pairs(p, q, Integer::sum), r, Math::max), 0, Math::max);
            case 8 -> Math.max(Math.max(-p, q), 0);
            case 9 -> pairs(p, r, (x, y) -> Math.max(x & 0xffff, y & 0xffff))
                    ^ (p >>> 16 >= r >>> 16 ? 2 : 0) + ((p & 0xffff) >= (r & 0xffff) ? 1 : 0);
            case 10 -> Math.min(r, q) ^ (r <= q ? 1 : 0);
            default -> pairs(pairs(r, p, Integer::sum), q, Math::min);
        };
    }

    private static BigInteger signed128(BigInteger value) {
        BigInteger low = value.and(BigInteger.ONE.shiftLeft(128).subtract(BigInteger.ONE));
        return low.testBit(127) ? low.subtract(BigInteger.ONE.shiftLeft(128)) : low;
    }

    private static BigInteger wide(long a, long b, int which) {
        BigInteger low = BigInteger.valueOf(b).multiply(new BigInteger("9e3779b97f4a7c15", 16))
                .and(BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE));
        BigInteger p = BigInteger.valueOf(a - 50).shiftLeft(64).or(low).xor(BigInteger.valueOf(a));
        BigInteger q = BigInteger.valueOf(b).shiftLeft(37).subtract(BigInteger.valueOf(a));
        return signed128(switch (which) {
            case 0 -> p.add(q);
            case 1 -> p.subtract(q);
            case 2 -> p.multiply(q);
            case 3 -> p.divide(q.or(BigInteger.ONE));
            case 4 -> (p.signum() < 0 ? p.add(BigInteger.ONE.shiftLeft(128)) : p).divide(BigInteger.valueOf(b + 3));
            case 5 -> p.shiftRight((int) a & 127).xor(q.shiftLeft((int) b & 127));
            default -> p.compareTo(q) < 0 ? p : q.negate();
        });
    }

    @ParameterizedTest
    @MethodSource("programs")
    void givesWhatTheHostComputes(Case program) throws IOException {
        ProgramsTest.check(program);
    }

    @Test
    void parametersAreConstant() throws IOException {
        try (Session session = ProgramsTest.session("grid_constant")) {
            assertThatThrownBy(() -> session.run(LaunchParser.parse("const_cast_away<<<1,1>>>(" + LAYERS
                + ", y=zeros(8))"))).hasMessageContaining("OUT_OF_BOUNDS")
                .hasMessageContaining("which is one of a parameter of the kernel: these are constant");
            assertThatThrownBy(() -> session.run(LaunchParser.parse("grid_constant<<<1,8>>>("
                + LAYERS.replace("bytes(02", "bytes(09") + ", in:x=rand(3), y2=zeros(8))")))
                .hasMessageContaining("of the kernel's parameters, which have");
        }
    }

    /** A flag orders what is beside it by fences alone. */
    @Test
    void flagsWithoutFences() throws IOException {
        for (String kernel : new String[] {"hasty", "trusting"}) {
            try (Session session = ProgramsTest.session("flags")) {
                assertThatThrownBy(() -> session.run(LaunchParser.parse(kernel
                    + "<<<1,64>>>(in:x=rand(5x32,i32), y=zeros(5x32,i32), 5)"))).hasMessageContaining("SHARED_RACE")
                    .hasMessageContaining("is read here and was written by thread").hasMessageContaining("ld.shared.u32");
            }
        }
    }
}
