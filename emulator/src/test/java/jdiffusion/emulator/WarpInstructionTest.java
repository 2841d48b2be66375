package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WarpInstructionTest {
    private static final String LOAD = """
            mul.wide.u32 %rd12, %r10, 4;
            add.s64 %rd10, %rd10, %rd12;
            add.s64 %rd11, %rd11, %rd12;
            ld.global.u32 %r1, [%rd10];
            """;

    private static int[] run(String body, int[] in) {
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(4L * in.length);
            bench.launch(Bench.kernel("", LOAD + body + "st.global.u32 [%rd11], %r0;"), "k", 1, in.length, 0,
                    bench.ints(in), out);
            return out.toArray(ValueLayout.JAVA_INT);
        }
    }

    private static int[] squares(int n) {
        int[] in = new int[n];
        for (int i = 0; i < n; i++) {
            in[i] = i * i + 1;
        }
        return in;
    }

    @ParameterizedTest
    @CsvSource({"bfly, 5, 31", "idx, 9, 31", "up, 3, 0", "down, 3, 31", "bfly, 4, 0x101f", "down, 2, 0x181f",
        "up, 2, 0x1800", "idx, 11, 0x1807"})
    void shuffles(String mode, int by, String control) {
        int c = Integer.decode(control);
        int[] in = squares(32);
        int[] out = run("shfl.sync." + mode + ".b32 %r0|%p1, %r1, " + by + ", " + c + ", 0xffffffff;\n"
                + "@!%p1 neg.s32 %r0, %r0;\n", in);
        int segment = c >> 8 & 31;
        for (int lane = 0; lane < 32; lane++) {
            int most = lane & segment | c & 31 & ~segment;
            int from = switch (mode) {
                case "bfly" -> lane ^ by;
                case "up" -> lane - by;
                case "down" -> lane + by;
                default -> lane & segment | by & ~segment;
            };
            boolean valid = mode.equals("up") ? from >= most : from <= most;
            assertThat(out[lane]).as("lane %d", lane).isEqualTo(valid ? in[from] : -in[lane]);
        }
    }

    @Test
    void shufflesAmongPartOfTheLanes() {
        int[] in = squares(32);
        int[] out = run("""
                mov.u32 %r0, 0;
                setp.ge.u32 %p1, %r10, 16;
                @%p1 bra SKIP;
                shfl.sync.bfly.b32 %r0, %r1, 1, 31, 0x0000ffff;
                SKIP:
                """, in);
        for (int lane = 0; lane < 32; lane++) {
            assertThat(out[lane]).isEqualTo(lane < 16 ? in[lane ^ 1] : 0);
        }
    }

    /** Halves of the warp that come one after the other exchange among themselves, and then all together. */
    @Test
    void shufflesOfPartsAndThenOfAll() {
        int[] in = squares(32);
        int[] out = run("""
                setp.ge.u32 %p1, %r10, 16;
                mov.u32 %r2, 0x0000ffff;
                @%p1 bra UPPER;
                JOIN:
                shfl.sync.bfly.b32 %r3, %r1, 1, 31, %r2;
                shfl.sync.bfly.b32 %r0, %r3, 16, 31, -1;
                bra END;
                UPPER:
                mov.u32 %r2, 0xffff0000;
                bra JOIN;
                END:
                """, in);
        for (int lane = 0; lane < 32; lane++) {
            assertThat(out[lane]).as("lane %d", lane).isEqualTo(in[lane ^ 17]);
        }
    }

    @Test
    void votes() {
        int[] in = squares(32);
        int[] out = run("""
                setp.gt.u32 %p1, %r1, 100;
                vote.sync.ballot.b32 %r0, %p1, -1;
                vote.sync.any.pred %p2, %p1, -1;
                vote.sync.all.pred %p3, %p1, -1;
                vote.sync.all.pred %p4, !%p3, -1;
                @!%p2 mov.u32 %r0, 0;
                @%p3 mov.u32 %r0, 0;
                @!%p4 mov.u32 %r0, 0;
                """, in);
        assertThat(out).containsOnly(0xfffffc00);
    }

    @Test
    void matches() {
        int[] out = run("""
                and.b32 %r2, %r10, 3;
                match.any.sync.b32 %r0, %r2, -1;
                """, squares(32));
        for (int lane = 0; lane < 32; lane++) {
            assertThat(out[lane]).isEqualTo(0x11111111 << (lane & 3));
        }
    }

    @ParameterizedTest
    @CsvSource({"16, bf16, f32", "16, f16, f32", "8, bf16, f32", "8, f16, f32", "16, f16, f16", "8, f16, f16"})
    void matrixProducts(int depth, String type, String sum) {
        var random = new Random(3);
        boolean brain = type.equals("bf16");
        float[][] a = matrix(random, 16, depth, brain);
        float[][] b = matrix(random, depth, 8, brain);
        float[][] c = matrix(random, 16, 8, false);
        int registers = depth / 4 + depth / 8 + (sum.equals("f32") ? 4 : 2);
        int results = sum.equals("f32") ? 4 : 2;
        int[] in = new int[32 * registers];
        for (int lane = 0; lane < 32; lane++) {
            int g = lane >> 2;
            int t = 2 * (lane & 3);
            int at = lane * registers;
            for (int i = 0; i < depth / 4; i++) {
                int row = g + 8 * (i & 1);
                int k = t + 8 * (i >> 1);
                in[at++] = pair(a[row][k], a[row][k + 1], brain);
            }
            for (int i = 0; i < depth / 8; i++) {
                in[at++] = pair(b[t + 8 * i][g], b[t + 8 * i + 1][g], brain);
            }
            for (int i = 0; i < 2; i++) {
                if (results == 4) {
                    in[at++] = Float.floatToRawIntBits(c[g + 8 * i][t]);
                    in[at++] = Float.floatToRawIntBits(c[g + 8 * i][t + 1]);
                } else {
                    in[at++] = pair(c[g + 8 * i][t], c[g + 8 * i][t + 1], false);
                }
            }
        }
        int[] out = multiply(depth, type, sum, results, in);
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < 4; i++) {
                int row = (lane >> 2) + 8 * (i >> 1);
                int column = 2 * (lane & 3) + (i & 1);
                float expected = c[row][column];
                for (int k = 0; k < depth; k++) {
                    expected += a[row][k] * b[k][column];
                }
                float got = results == 4 ? Float.intBitsToFloat(out[lane * 4 + i])
                        : Float.float16ToFloat((short) (out[lane * 2 + (i >> 1)] >> 16 * (i & 1)));
                float rounded = results == 4 ? expected : Float.float16ToFloat(Float.floatToFloat16(expected));
                assertThat(got).as("lane %d, result %d", lane, i).isEqualTo(rounded);
            }
        }
    }

    /** Two bits patterns of a byte are no numbers in e4m3, eight in e5m2; every other byte takes part. */
    @ParameterizedTest
    @CsvSource({"e4m3, e4m3", "e4m3, e5m2", "e5m2, e4m3", "e5m2, e5m2"})
    void matrixProductsOfBytes(String typeA, String typeB) {
        var random = new Random(5);
        byte[][] a = bytes(random, 16, typeA);
        byte[][] b = bytes(random, 8, typeB);
        int[] in = new int[32 * 10];
        for (int lane = 0; lane < 32; lane++) {
            int g = lane >> 2;
            int t = lane & 3;
            int at = lane * 10;
            for (int i = 0; i < 4; i++) {
                in[at++] = four(a[g + 8 * (i & 1)], 4 * t + 16 * (i >> 1));
            }
            for (int i = 0; i < 2; i++) {
                in[at++] = four(b[g], 4 * t + 16 * i);
            }
            for (int i = 0; i < 4; i++) {
                in[at++] = Float.floatToRawIntBits(100 * lane + i);
            }
        }
        int[] out = multiply(32, "row.col.f32." + typeA + "." + typeB + ".f32", new int[] {4, 2, 4}, 4, in);
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < 4; i++) {
                int row = (lane >> 2) + 8 * (i >> 1);
                int column = 2 * (lane & 3) + (i & 1);
                float expected = 100 * lane + i;
                for (int k = 0; k < 32; k++) {
                    expected = Math.fma(ofByte(a[row][k], typeA), ofByte(b[column][k], typeB), expected);
                }
                assertThat(Float.intBitsToFloat(out[lane * 4 + i])).as("lane %d, result %d", lane, i)
                        .isEqualTo(expected);
            }
        }
    }

    /** Rows of 32 numbers. */
    private static byte[][] bytes(Random random, int rows, String type) {
        byte[][] m = new byte[rows][32];
        for (byte[] row : m) {
            for (int i = 0; i < row.length; i++) {
                do {
                    row[i] = (byte) random.nextInt(256);
                } while (!Float.isFinite(ofByte(row[i], type)));
            }
        }
        return m;
    }

    private static int four(byte[] row, int at) {
        return row[at] & 0xff | (row[at + 1] & 0xff) << 8 | (row[at + 2] & 0xff) << 16 | row[at + 3] << 24;
    }

    /** From sign, exponent and mantissa, as the paper has them. */
    static float ofByte(byte bits, String type) {
        int mantissaBits = type.equals("e4m3") ? 3 : 2;
        int bias = type.equals("e4m3") ? 7 : 15;
        int exponent = (bits & 0x7f) >> mantissaBits;
        int mantissa = bits & (1 << mantissaBits) - 1;
        if (type.equals("e4m3") ? (bits & 0x7f) == 0x7f : exponent == 31) {
            return type.equals("e4m3") || mantissa != 0 ? Float.NaN
                    : bits < 0 ? Float.NEGATIVE_INFINITY : Float.POSITIVE_INFINITY;
        }
        double value = exponent == 0 ? mantissa * Math.pow(2, 1 - bias - mantissaBits)
                : (mantissa + (1 << mantissaBits)) * Math.pow(2, exponent - bias - mantissaBits);
        return (float) (bits < 0 ? -value : value);
    }

    private static int[] multiply(int depth, String type, String sum, int results, int[] in) {
        return multiply(depth, "row.col." + sum + "." + type + "." + type + "." + sum,
                new int[] {depth / 4, depth / 8, results}, results, in);
    }

    /** @param counts registers of A, B and C */
    private static int[] multiply(int depth, String modifiers, int[] counts, int results, int[] in) {
        int registers = IntStream.of(counts).sum();
        var body = new StringBuilder("mul.lo.s32 %r9, %r10, " + 4 * registers + ";\ncvt.u64.u32 %rd12, %r9;\n"
                + "add.s64 %rd10, %rd10, %rd12;\nmul.wide.u32 %rd13, %r10, " + 4 * results
                + ";\nadd.s64 %rd11, %rd11, %rd13;\n");
        for (int i = 0; i < registers; i++) {
            body.append("ld.global.b32 %r").append(20 + i).append(", [%rd10+").append(4 * i).append("];\n");
        }
        int at = 20;
        String operands = "";
        for (int n : counts) {
            var list = new StringBuilder();
            for (int i = 0; i < n; i++) {
                list.append(i == 0 ? "" : ",").append("%r").append(at++);
            }
            operands += ", {" + list + "}";
        }
        String to = results == 4 ? "{%r1,%r2,%r3,%r4}" : "{%r1,%r2}";
        body.append("mma.sync.aligned.m16n8k").append(depth).append('.').append(modifiers).append(' ').append(to)
                .append(operands).append(";\n");
        for (int i = 0; i < results; i++) {
            body.append("st.global.b32 [%rd11+").append(4 * i).append("], %r").append(i + 1).append(";\n");
        }
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(4L * 32 * results);
            bench.launch(Bench.kernel("", body.toString()), "k", 1, 32, 0, bench.ints(in), out);
            return out.toArray(ValueLayout.JAVA_INT);
        }
    }

    private static float[][] matrix(Random random, int rows, int columns, boolean brain) {
        float[][] m = new float[rows][columns];
        for (float[] row : m) {
            for (int i = 0; i < columns; i++) {
                float value = random.nextFloat() * 2 - 1;
                row[i] = brain ? Float.intBitsToFloat(Float.floatToRawIntBits(value) & 0xffff0000)
                        : Float.float16ToFloat(Float.floatToFloat16(value));
            }
        }
        return m;
    }

    private static int pair(float low, float high, boolean brain) {
        return brain ? Float.floatToRawIntBits(low) >>> 16 | Float.floatToRawIntBits(high) & 0xffff0000
                : Float.floatToFloat16(low) & 0xffff | Float.floatToFloat16(high) << 16;
    }

    @ParameterizedTest
    @CsvSource({"1, false", "2, false", "4, false", "1, true", "2, true", "4, true"})
    void loadsMatrices(int n, boolean transposed) {
        var to = new StringBuilder();
        var store = new StringBuilder();
        for (int j = 0; j < n; j++) {
            to.append(j == 0 ? "" : ",").append("%r").append(20 + j);
            store.append("st.global.b32 [%rd11+").append(4 * j).append("], %r").append(20 + j).append(";\n");
        }
        // Shared memory holds the 16-bit numbers 0 to 255; matrix j's row i lies at row 8 j + i, in reverse order.
        PtxProgram program = Bench.kernel(".shared .align 16 .b8 s[512];", """
                mov.u32 %r1, s;
                shl.b32 %r2, %r10, 4;
                add.s32 %r3, %r1, %r2;
                mul.lo.s32 %r4, %r10, 0x00080008;
                add.s32 %r5, %r4, 0x00010000;
                add.s32 %r6, %r4, 0x00030002;
                add.s32 %r7, %r4, 0x00050004;
                add.s32 %r8, %r4, 0x00070006;
                st.shared.v4.u32 [%r3], {%r5, %r6, %r7, %r8};
                bar.warp.sync -1;
                xor.b32 %r2, %r2, 496;
                add.s32 %r3, %r1, %r2;
                ldmatrix.sync.aligned.m8n8.xN.TRANSshared.b16 {TO}, [%r3];
                mul.wide.u32 %rd12, %r10, 16;
                add.s64 %rd11, %rd11, %rd12;
                """.replace("xN", "x" + n).replace("TRANS", transposed ? "trans." : "").replace("TO", to) + store);
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(16 * 32);
            bench.launch(program, "k", 1, 32, 0, out, out);
            for (int lane = 0; lane < 32; lane++) {
                for (int j = 0; j < n; j++) {
                    int line = lane >> 2;
                    int place = 2 * (lane & 3);
                    int low = transposed ? element(j, place, line) : element(j, line, place);
                    int high = transposed ? element(j, place + 1, line) : element(j, line, place + 1);
                    assertThat(out.getAtIndex(ValueLayout.JAVA_INT, lane * 4 + j))
                            .as("lane %d, matrix %d", lane, j).isEqualTo(low | high << 16);
                }
            }
        }
    }

    private static int element(int matrix, int row, int column) {
        return (31 - (8 * matrix + row)) * 8 + column;
    }

    /** What ldmatrix has loaded, stmatrix puts back, transposed where one of the two transposes. */
    @ParameterizedTest
    @CsvSource({"'', '', false", ".trans, .trans, false", ".trans, '', true", "'', .trans, true"})
    void matricesAreStoredAsTheyAreLoaded(String load, String store, boolean transposed) {
        PtxProgram program = Bench.kernel(".shared .align 16 .b8 s[1024];", """
                shl.b32 %r1, %r10, 4;
                mul.wide.u32 %rd1, %r1, 1;
                add.s64 %rd2, %rd10, %rd1;
                add.s64 %rd3, %rd11, %rd1;
                ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd2];
                st.shared.v4.u32 [%r1], {%r2, %r3, %r4, %r5};
                bar.sync 0;
                ldmatrix.sync.aligned.m8n8.x4LOAD.shared.b16 {%r2, %r3, %r4, %r5}, [%r1];
                stmatrix.sync.aligned.m8n8.x4STORE.shared.b16 [%r1+512], {%r2, %r3, %r4, %r5};
                bar.sync 0;
                ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1+512];
                st.global.v4.u32 [%rd3], {%r2, %r3, %r4, %r5};
                """.replace("LOAD", load).replace("STORE", store));
        try (Bench bench = Bench.checked()) {
            MemorySegment in = bench.allocate(512);
            MemorySegment out = bench.allocate(512);
            for (int i = 0; i < 256; i++) {
                in.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (1000 + i));
            }
            bench.launch(program, "k", 1, 32, 0, in, out);
            for (int i = 0; i < 256; i++) {
                int from = transposed ? i / 64 * 64 + i % 8 * 8 + i / 8 % 8 : i;
                assertThat(out.getAtIndex(ValueLayout.JAVA_SHORT, i)).as("element %d", i)
                        .isEqualTo((short) (1000 + from));
            }
        }
    }
}
