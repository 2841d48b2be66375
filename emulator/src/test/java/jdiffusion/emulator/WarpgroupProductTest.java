package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code wgmma} against plain loops, for every way in which its factors can lie in shared memory. */
class WarpgroupProductTest {
    private static final int ROWS = 64;
    private static final int THREADS = 128;
    /** Bytes of k of one instruction; each test has two of them. */
    private static final int DEPTH_BYTES = 32;
    private static final int STEPS = 2;
    /** Where B begins; a multiple of what patterns repeat after. */
    private static final int B_AT = 16 << 10;
    private static final int SHARED = 64 << 10;

    /** A factor: lines by k, as bits of its type, and where it lies in shared memory. */
    private static final class Factor {
        final int lines;
        final int bytes;
        final int pattern;
        final boolean across;
        final int start;
        final int depth;

        /** {@code pattern} is its width in bytes, or 16 for none; {@code across} when lines run fastest. */
        Factor(int lines, int bytes, int pattern, boolean across, int start) {
            this.lines = lines;
            this.bytes = bytes;
            this.pattern = pattern;
            this.across = across;
            this.start = start;
            this.depth = STEPS * DEPTH_BYTES / bytes;
        }

        /** Panels of one pattern width stand one after the other, each with all that runs slowly. */
        int at(int line, int k) {
            int fast = (across ? line : k) * bytes;
            int slow = across ? k : line;
            int panel = fast / pattern * pattern * (across ? depth : Math.ceilDiv(lines, 8) * 8);
            int place = start + panel + slow * pattern + fast % pattern;
            return place ^ (place >> 7) % (pattern / 16) * 16;
        }

        /** Of the instruction at that multiple of its depth. */
        long descriptor(int step) {
            int panel = pattern * (across ? depth : Math.ceilDiv(lines, 8) * 8);
            int k = step * DEPTH_BYTES / bytes;
            int place = across ? start + k * pattern
                    : start + k * bytes / pattern * panel + k * bytes % pattern;
            int groups = 8 * pattern;
            // Where lines run fastest without a pattern, the two distances change their roles.
            int leading = across && pattern == 16 ? groups : panel;
            int stride = across && pattern == 16 ? panel : groups;
            long mode = switch (pattern) {
                case 128 -> 1;
                case 64 -> 2;
                case 32 -> 3;
                default -> 0;
            };
            return place >> 4 | (long) (leading >> 4) << 16 | (long) (stride >> 4) << 32 | mode << 62;
        }
    }

    private static String registers(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(i -> prefix + i).collect(Collectors.joining(", ", "{", "}"));
    }

    /** Runs the products; element i of the result is register i / THREADS of thread i % THREADS. */
    private static int[] run(EmulatorOptions options, String type, String sums, Factor a, Factor b, int[] fragments,
            int[] initial, byte[] shared, String signs) {
        int registers = initial.length / THREADS;
        var body = new StringBuilder("""
                mov.u32 %r2, 0;
                shl.b32 %r3, %r10, 4;
                COPY:
                add.u32 %r4, %r2, %r3;
                cvt.u64.u32 %rd1, %r4;
                add.u64 %rd1, %rd1, %rd10;
                ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd1];
                st.shared.v4.u32 [%r4], {%r5, %r6, %r7, %r8};
                add.u32 %r2, %r2, 2048;
                setp.lt.u32 %p1, %r2, 65536;
                @%p1 bra COPY;
                fence.proxy.async;
                bar.sync 0;
                mul.wide.u32 %rd2, %r10, 4;
                add.u64 %rd2, %rd2, %rd11;
                setp.eq.u32 %p2, %r10, %r10;
                """);
        for (int i = 0; i < registers; i++) {
            body.append("ld.global.u32 %s").append(i).append(", [%rd2+").append(4 * THREADS * i).append("];\n");
        }
        for (int i = 0; fragments != null && i < 4 * STEPS; i++) {
            body.append("ld.global.u32 %a").append(i).append(", [%rd2+").append(4 * THREADS * (registers + i))
                    .append("];\n");
        }
        body.append("wgmma.fence.sync.aligned;\n");
        for (int step = 0; step < STEPS; step++) {
            body.append("wgmma.mma_async.sync.aligned.m64n%dk%d.%s.%s.%s %s, ".formatted(b.lines,
                    DEPTH_BYTES / b.bytes, sums, type, type, registers("%s", registers)));
            int first = 4 * step;
            body.append(fragments == null ? Long.toString(a.descriptor(step)) : IntStream.range(first, first + 4)
                    .mapToObj(i -> "%a" + i).collect(Collectors.joining(", ", "{", "}")));
            body.append(", ").append(b.descriptor(step)).append(", %p2").append(signs).append(";\n");
        }
        body.append("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n");
        for (int i = 0; i < registers; i++) {
            body.append("st.global.u32 [%rd2+").append(4 * THREADS * i).append("], %s").append(i).append(";\n");
        }
        String declarations = ".shared .align 1024 .b8 s[" + SHARED + "];\n.reg .b32 %s<" + registers + ">;\n.reg .b32 %a<"
                + 4 * STEPS + ">;\n";
        PtxProgram program = Bench.kernel(declarations, body.toString());
        try (Bench bench = new Bench(options.withThreads(1))) {
            MemorySegment in = bench.allocate(SHARED);
            MemorySegment.copy(shared, 0, in, ValueLayout.JAVA_BYTE, 0, SHARED);
            MemorySegment out = bench.allocate(4L * (initial.length + 4 * STEPS * THREADS));
            MemorySegment.copy(initial, 0, out, ValueLayout.JAVA_INT, 0, initial.length);
            if (fragments != null) {
                MemorySegment.copy(fragments, 0, out, ValueLayout.JAVA_INT, 4L * initial.length, fragments.length);
            }
            bench.launch(program, "k", 1, THREADS, 0, in, out);
            return out.asSlice(0, 4L * initial.length).toArray(ValueLayout.JAVA_INT);
        }
    }

    private static void put(byte[] shared, int at, int bytes, int bits) {
        for (int i = 0; i < bytes; i++) {
            shared[at + i] = (byte) (bits >>> 8 * i);
        }
    }

    private static int bits(String type, float value) {
        return switch (type) {
            case "bf16" -> Float.floatToRawIntBits(value) >>> 16;
            case "f16" -> Float.floatToFloat16(value) & 0xffff;
            default -> Float.floatToRawIntBits(value);
        };
    }

    /** Small multiples of a quarter, which every type holds. */
    private static float[] quarters(SplittableRandom random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(-8, 9) * 0.25f;
        }
        return values;
    }

    private static int row(int thread, int register) {
        return thread / 32 * 16 + thread % 32 / 4 + (register >> 1 & 1) * 8;
    }

    private static int column(int thread, int register) {
        return register / 4 * 8 + thread % 4 * 2 + register % 2;
    }

    private static void check(String type, int n, int pattern, boolean acrossA, boolean acrossB, boolean inRegisters,
            long seed, String signs, float sign) {
        int bytes = type.equals("tf32") ? 4 : 2;
        var a = new Factor(ROWS, bytes, pattern, acrossA, 0);
        var b = new Factor(n, bytes, pattern, acrossB, B_AT);
        var random = new SplittableRandom(n + seed);
        float[] x = quarters(random, ROWS * a.depth);
        float[] y = quarters(random, n * a.depth);
        byte[] shared = new byte[SHARED];
        for (int k = 0; k < a.depth; k++) {
            for (int row = 0; row < ROWS && !inRegisters; row++) {
                put(shared, a.at(row, k), bytes, bits(type, x[row * a.depth + k]));
            }
            for (int column = 0; column < n; column++) {
                put(shared, b.at(column, k), bytes, bits(type, y[column * a.depth + k]));
            }
        }
        int per = 4 / bytes;
        int[] fragments = new int[4 * STEPS * THREADS];
        for (int i = 0; i < fragments.length; i++) {
            int thread = i % THREADS;
            int register = i / THREADS;
            int row = thread / 32 * 16 + thread % 32 / 4 + register % 2 * 8;
            int k = register / 4 * a.depth / STEPS + register % 4 / 2 * 4 * per + thread % 4 * per;
            for (int j = 0; j < per; j++) {
                fragments[i] |= bits(type, x[row * a.depth + k + j]) << 16 * j;
            }
        }
        int[] initial = new int[n / 2 * THREADS];
        for (int i = 0; i < initial.length; i++) {
            initial[i] = Float.floatToRawIntBits(random.nextInt(64));
        }
        int[] result = run(EmulatorOptions.defaults().withSeed(seed), type, "f32", a, b, inRegisters ? fragments : null,
                initial, shared, signs);
        for (int i = 0; i < result.length; i++) {
            int row = row(i % THREADS, i / THREADS);
            int column = column(i % THREADS, i / THREADS);
            float sum = Float.intBitsToFloat(initial[i]);
            for (int k = 0; k < a.depth; k++) {
                sum += sign * x[row * a.depth + k] * y[column * a.depth + k];
            }
            assertThat(Float.intBitsToFloat(result[i])).as("row %d, column %d", row, column).isEqualTo(sum);
        }
    }

    @ParameterizedTest
    @CsvSource({"8, 16", "24, 32", "104, 64", "64, 128", "256, 128", "40, 128"})
    void factorsInSharedMemory(int n, int pattern) {
        for (int ways = 0; ways < 4; ways++) {
            boolean acrossA = (ways & 1) != 0;
            // Where columns run fastest, a width of the pattern is full of them.
            boolean acrossB = (ways & 2) != 0 && n % (pattern / 2) == 0;
            check("bf16", n, pattern, acrossA, acrossB, false, ways,
                    ", 1, 1, " + (acrossA ? 1 : 0) + ", " + (acrossB ? 1 : 0), 1);
        }
    }

    @ParameterizedTest
    @CsvSource({"16", "32", "64", "128"})
    void columnsFastest(int pattern) {
        check("f16", 128, pattern, true, true, false, pattern, ", 1, 1, 1, 1", 1);
        check("f16", 64, pattern, false, true, true, pattern, ", 1, 1, 1", 1);
    }

    @Test
    void rowsInRegisters() {
        check("bf16", 72, 128, false, false, true, 0, ", 1, 1, 0", 1);
        check("f16", 16, 16, false, false, true, 1, ", 1, 1, 0", 1);
        check("tf32", 48, 128, false, false, true, 2, ", 1, 1", 1);
    }

    @Test
    void wordsOfTf32() {
        check("tf32", 80, 64, false, false, false, 3, ", 1, 1", 1);
    }

    @Test
    void negatedFactors() {
        check("bf16", 32, 128, false, false, false, 0, ", -1, 1, 0, 0", -1);
        check("bf16", 32, 128, false, false, false, 0, ", 1, -1, 0, 0", -1);
        check("bf16", 32, 128, false, false, false, 0, ", -1, -1, 0, 0", 1);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void everySeedGivesTheSame(long seed) {
        check("bf16", 88, 128, false, false, false, seed, ", 1, 1, 0, 0", 1);
    }

    @Test
    void shapesThatThereAreNot() {
        for (String shape : new String[] {"m64n12k16.f32.bf16.bf16", "m64n264k16.f32.bf16.bf16",
            "m64n8k8.f32.bf16.bf16", "m64n8k16.f32.bf16.f16", "m64n8k16.f16.bf16.bf16"}) {
            assertThatThrownBy(() -> Bench.kernel("", "wgmma.mma_async.sync.aligned." + shape
                    + " {%f0, %f1, %f2, %f3}, 0, 0, %p1, 1, 1, 0, 0;")).as(shape).isInstanceOf(PtxException.class)
                    .hasMessageContaining("this instruction is not supported");
        }
    }
}
