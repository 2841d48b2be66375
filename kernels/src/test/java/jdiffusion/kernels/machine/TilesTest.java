package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every instruction of AMX in the interpreter, by the rules in Intel's manual; and, where the CPU has them, on it. */
class TilesTest {
    private static final int TILE = 1024;

    private final SplittableRandom random = new SplittableRandom(3);

    /** What ldtilecfg reads, with a shape for three tiles. */
    private static byte[] shapes(int[] tiles, int[] rows, int[] bytes) {
        byte[] config = new byte[64];
        config[0] = 1;
        for (int i = 0; i < tiles.length; i++) {
            config[16 + 2 * tiles[i]] = (byte) bytes[i];
            config[48 + tiles[i]] = (byte) rows[i];
        }
        return config;
    }

    private static int pair(float low, float high) {
        return Float.floatToRawIntBits(low) >>> 16 | Float.floatToRawIntBits(high) & 0xffff0000;
    }

    /** c [m][n] += a [m][k] b [k][n] on tiles of just that shape, with rows further apart than they are long. */
    private static void product(int[] numbers, int m, int n, int k, int[] a, int[] b, float[] c) {
        Tmm sum = Tmm.values()[numbers[0]];
        Tmm left = Tmm.values()[numbers[1]];
        Tmm right = Tmm.values()[numbers[2]];
        int[] operands = new int[16 + 2 * TILE];
        byte[] config = shapes(numbers, new int[] {m, m, k}, new int[] {4 * n, 4 * k, 4 * n});
        MemorySegment.copy(MemorySegment.ofArray(config), 0, MemorySegment.ofArray(operands), 0, 64);
        for (int i = 0; i < m; i++) {
            System.arraycopy(a, i * k, operands, 16 + i * 17, k);
        }
        for (int i = 0; i < k; i++) {
            System.arraycopy(b, i * n, operands, 16 + TILE + i * 34, n);
        }
        try (BothWays function = new BothWays(CpuLevel.AMX, x -> {
            x.ldtilecfg(Mem.at(MachineFunction.A));
            x.mov(Gpr.RAX, 68);
            x.tileloadd(left, Mem.at(MachineFunction.A, Gpr.RAX, 1).plus(64));
            x.tileloaddt1(right, Mem.at(MachineFunction.A, Gpr.RAX, 2).plus(64 + 4 * TILE));
            x.mov(Gpr.RAX, 4 * n);
            x.tilezero(sum);
            x.tileloadd(sum, Mem.at(MachineFunction.C, Gpr.RAX, 1));
            x.tdpbf16ps(sum, left, right);
            x.tilestored(Mem.at(MachineFunction.C, Gpr.RAX, 1), sum);
            x.tilerelease();
            x.ret();
        })) {
            function.call(MemorySegment.ofArray(operands), 0, MemorySegment.NULL, 0, MemorySegment.ofArray(c), 0, 0, 0,
                    0);
        }
    }

    @ParameterizedTest
    @CsvSource({"16, 16, 16", "1, 1, 1", "3, 5, 7", "16, 2, 9", "5, 16, 1", "1, 16, 16"})
    void wholeNumbersHaveExactSums(int m, int n, int k) {
        for (int[] tiles : new int[][] {{0, 1, 2}, {7, 3, 5}, {4, 6, 0}}) {
            float[] as = wholes(2 * m * k);
            float[] bs = wholes(2 * k * n);
            float[] c = wholes(m * n);
            float[] expected = c.clone();
            int[] a = new int[m * k];
            int[] b = new int[k * n];
            for (int i = 0; i < a.length; i++) {
                a[i] = pair(as[2 * i], as[2 * i + 1]);
            }
            for (int i = 0; i < b.length; i++) {
                b[i] = pair(bs[2 * i], bs[2 * i + 1]);
            }
            for (int i = 0; i < m * n; i++) {
                for (int p = 0; p < 2 * k; p++) {
                    expected[i] += as[i / n * 2 * k + p] * bs[2 * (p / 2 * n + i % n) + p % 2];
                }
            }
            product(tiles, m, n, k, a, b, c);
            assertThat(c).isEqualTo(expected);
        }
    }

    private float[] wholes(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = random.nextInt(-8, 9);
        }
        return values;
    }

    /** Sums that come out otherwise in any other order. */
    @Test
    void lowerHalvesThenUpperThenWhatWasThere() {
        float big = 0x1p24f;
        int ones = pair(1, 1);
        // Each chain by itself: 2^24 + 1 - 2^24 is 0 in float32, and what one chain loses the other does not.
        check(0, new int[] {pair(big, 1), pair(1, 1), pair(-big, 1)}, ones, 3);
        check(0, new int[] {pair(1, big), pair(1, 1), pair(1, -big)}, ones, 3);
        // The two chains meet before the old sum comes in: (1 + 1) + 2^24, not (2^24 + 1) + 1.
        check(big, new int[] {pair(1, 1)}, ones, big + 2);
        // The old sum is not where the chains begin: 2^24 + (1 - 2^24).
        check(big, new int[] {pair(1, 0), pair(-big, 0)}, ones, 1);
        // A product and a sum are rounded once: (1 + 2^-7)^2 - (1 + 2^-6) is 2^-14.
        float a = 1 + 0x1p-7f;
        checkPairs(0, new int[] {pair(-1, 0), pair(a, 0)}, new int[] {pair(1 + 0x1p-6f, 0), pair(a, 0)}, 0x1p-14f);
    }

    @Test
    void subnormalNumbersCountAsZero() {
        float least = Float.MIN_NORMAL;
        int ones = pair(1, 1);
        check(0, new int[] {pair(least / 2, 0)}, ones, 0);
        check(least / 2, new int[] {pair(0, 0)}, ones, 0);
        check(0, new int[] {pair(least, 0)}, ones, least);
        check(0, new int[] {pair(least, 0)}, pair(0.5f, 0), 0);
        // A difference that is subnormal, and the old sum's with the new.
        check(0, new int[] {pair(1.5f * least, -least)}, ones, 0);
        check(1.5f * least, new int[] {pair(-least, 0)}, ones, 0);
    }

    private static void check(float old, int[] a, int everyB, float expected) {
        int[] b = new int[a.length];
        Arrays.fill(b, everyB);
        checkPairs(old, a, b, expected);
    }

    private static void checkPairs(float old, int[] a, int[] b, float expected) {
        float[] c = {old};
        product(new int[] {0, 1, 2}, 1, 1, a.length, a, b, c);
        assertThat(c[0]).isEqualTo(expected);
    }

    @Test
    void shapesThatTheCpuRefusesAreFaults() {
        int[] three = {0, 1, 2};
        int[] rows = {16, 16, 16};
        int[] bytes = {64, 64, 64};
        byte[] good = shapes(three, rows, bytes);
        configure(good, "", x -> x.tilezero(Tmm.TMM2));
        configure(shapes(three, new int[] {16, 16, 17}, bytes), "#GP: tile 2", x -> { });
        configure(shapes(three, rows, new int[] {64, 65, 64}), "#GP: tile 1", x -> { });
        configure(shapes(three, new int[] {0, 16, 16}, bytes), "#GP: tile 0", x -> { });
        configure(shapes(new int[] {8}, rows, bytes), "#GP: there is no tile 8", x -> { });
        byte[] palette = good.clone();
        palette[0] = 2;
        configure(palette, "#GP: palette", x -> { });
        byte[] reserved = good.clone();
        reserved[9] = 1;
        configure(reserved, "#GP: reserved byte 9", x -> { });
        configure(good, "tile 3 has no shape", x -> x.tilezero(Tmm.TMM3));
        configure(new byte[64], "no tile has a shape", x -> x.tilezero(Tmm.TMM0));
        configure(good, "are not three", x -> x.tdpbf16ps(Tmm.TMM0, Tmm.TMM1, Tmm.TMM1));
        configure(shapes(three, new int[] {16, 16, 15}, bytes), "do not fit",
                x -> x.tdpbf16ps(Tmm.TMM0, Tmm.TMM1, Tmm.TMM2));
        configure(shapes(three, new int[] {16, 15, 16}, bytes), "do not fit",
                x -> x.tdpbf16ps(Tmm.TMM0, Tmm.TMM1, Tmm.TMM2));
        configure(shapes(three, rows, new int[] {60, 64, 64}), "do not fit",
                x -> x.tdpbf16ps(Tmm.TMM0, Tmm.TMM1, Tmm.TMM2));
        configure(good, "in no segment", x -> x.tileloadd(Tmm.TMM0, Mem.at(MachineFunction.A, Gpr.RAX, 1)));
        configure(good, "in no segment", x -> x.tilestored(Mem.at(MachineFunction.A, Gpr.RAX, 1), Tmm.TMM0));
        configure(good, "no tile has a shape", x -> {
            x.tilerelease();
            x.tilezero(Tmm.TMM0);
        });
    }

    /** Runs ldtilecfg, {@code then} with 64 in RAX, and tilerelease; an empty message stands for no fault. */
    private static void configure(byte[] shapes, String message, Consumer<Assembler> then) {
        InterpretedFunction function = new InterpretedFunction(x -> {
            x.ldtilecfg(Mem.at(MachineFunction.A));
            x.mov(Gpr.RAX, 64);
            then.accept(x);
            x.tilerelease();
            x.ret();
        });
        Runnable call = () -> function.call(MemorySegment.ofArray(shapes), 0, MemorySegment.NULL, 0,
                MemorySegment.NULL, 0, 0, 0, 0);
        if (message.isEmpty()) {
            call.run();
        } else {
            assertThatThrownBy(call::run).isInstanceOf(MachineFault.class).hasMessageContaining(message);
        }
    }

    @Test
    void tilesMustNotStayInUse() {
        InterpretedFunction function = new InterpretedFunction(x -> {
            x.ldtilecfg(Mem.at(MachineFunction.A));
            x.ret();
        });
        byte[] shapes = shapes(new int[] {0}, new int[] {1}, new int[] {4});
        assertThatThrownBy(() -> function.call(MemorySegment.ofArray(shapes), 0, MemorySegment.NULL, 0,
                MemorySegment.NULL, 0, 0, 0, 0)).isInstanceOf(MachineFault.class).hasMessageContaining("left in use");
    }

    /** Rows that cross cache lines, and those that end with one. */
    @Test
    void rowsAcrossCacheLinesAreFaultsWhereWanted() {
        TileCount count = new TileCount();
        InterpretedFunction function = new InterpretedFunction(x -> {
            x.ldtilecfg(Mem.at(MachineFunction.A));
            x.mov(Gpr.RAX, MachineFunction.STRIDE);
            x.add(MachineFunction.B, MachineFunction.B_OFFSET);
            x.tileloadd(Tmm.TMM0, Mem.at(MachineFunction.B, Gpr.RAX, 1));
            x.tilestored(Mem.at(MachineFunction.B, Gpr.RAX, 1), Tmm.TMM0);
            x.tilerelease();
            x.ret();
        }, count);
        MemorySegment shapes = MemorySegment.ofArray(shapes(new int[] {0}, new int[] {2}, new int[] {32}));
        MemorySegment memory = Arena.ofAuto().allocate(256, 64);
        function.call(shapes, 0, memory, 32, MemorySegment.NULL, 0, 0, 64, 0);
        assertThat(count.loads()).isOne();
        assertThat(count.stores()).isOne();
        assertThat(count.products()).isZero();
        for (int[] place : new int[][] {{36, 64}, {0, 40}}) {
            assertThatThrownBy(() -> function.call(shapes, 0, memory, place[0], MemorySegment.NULL, 0, 0, place[1], 0))
                    .isInstanceOf(MachineFault.class).hasMessageContaining("behind a cache line");
        }
        MemorySegment array = MemorySegment.ofArray(new byte[256]);
        assertThatThrownBy(() -> function.call(shapes, 0, array, 32, MemorySegment.NULL, 0, 0, 64, 0))
                .isInstanceOf(MachineFault.class).hasMessageContaining("behind a cache line");
    }

    /** Four loads and four products a round, none of them across lines. */
    @Test
    void thePeakHasItsOperandsInCacheLines() {
        TileCount count = new TileCount();
        try (TilePeak peak = new TilePeak(3, body -> new InterpretedFunction(body, count))) {
            assertThat(peak.run()).isEqualTo(count.products() * 2 * 16 * 16 * 32);
        }
        assertThat(count.products()).isEqualTo(3 * 4);
        assertThat(count.loads()).isEqualTo(3 * 4);
    }

    @Test
    void theLoopOfThePeakRuns() {
        try (TilePeak peak = new TilePeak(2, BothWays::of)) {
            assertThat(peak.run()).isEqualTo(2L * 4 * 2 * 16 * 16 * 32);
        }
    }
}
