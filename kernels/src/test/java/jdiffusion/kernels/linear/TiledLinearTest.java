package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.TileCount;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;

/** Linear layers on AMX's tiles, whose machine code is interpreted, so on every machine. */
class TiledLinearTest {
    /** Around the edges of tiles, blocks, strips, parts along k, and groups of blocks. */
    static final List<LinearCase> RAGGED = List.of(
            new LinearCase(1, 1, 1, DType.F32), new LinearCase(1, 5, 7, DType.BF16),
            new LinearCase(5, 3, 63, DType.F16), new LinearCase(16, 32, 32, DType.BF16),
            new LinearCase(17, 33, 33, DType.F8_E4M3),
            new LinearCase(32, 31, 31, DType.F8_E5M2), new LinearCase(33, 127, 129, DType.F32),
            new LinearCase(64, 64, 128, DType.BF16), new LinearCase(65, 513, 70, DType.BF16),
            new LinearCase(3, 1100, 40, DType.BF16), new LinearCase(420, 17, 36, DType.BF16),
            new LinearCase(99, 1024, 33, DType.BF16), new LinearCase(47, 544, 20, DType.F16));

    @ParameterizedTest
    @FieldSource("RAGGED")
    void raggedSizesAndAllWeightTypes(LinearCase c) {
        check(c, Activation.NONE, Mode.STORE, 0, true);
    }

    @ParameterizedTest
    @EnumSource
    void activationsInEveryMode(Activation activation) {
        for (Mode mode : Mode.values()) {
            check(new LinearCase(38, 40, 71, DType.BF16), activation, mode, 0, true);
            check(new LinearCase(38, 40, 64, DType.BF16), activation, mode, 0, false);
        }
        check(new LinearCase(38, 40, 64, DType.BF16), activation, Mode.ADD, 2, false);
    }

    /** A gate's row for less than a block, for some blocks, and for a number of rows that blocks do not divide. */
    @Test
    void gatesFollowTheirRunsOfRows() {
        for (int batch : new int[] {1, 2, 3, 6, 192}) {
            check(new LinearCase(192, 21, 64, DType.F16), Activation.NONE, Mode.ADD, batch, true);
            check(new LinearCase(192, 32, 33, DType.BF16), Activation.NONE, Mode.ADD, batch, true);
        }
    }

    @Test
    void weightsAreTakenFromAnywhere() {
        Tensor x = TestTensors.random(4, DType.F32, 1, 9, 96);
        Tensor a = TestTensors.random(1, DType.BF16, 1, 70, 96);
        Tensor b = TestTensors.random(2, DType.F32, 1, 1, 96);
        Tensor c = TestTensors.random(3, DType.BF16, 1, 63, 96);
        float[] joined = new float[134 * 96];
        System.arraycopy(a.toArray(), 0, joined, 0, 70 * 96);
        System.arraycopy(b.toArray(), 0, joined, 70 * 96, 96);
        System.arraycopy(c.toArray(), 0, joined, 71 * 96, 63 * 96);
        Weight nested = Weight.rows(Weight.of(a), Weight.rows(Weight.of(b), Weight.of(c)));
        same(x, nested, joined);
        Tensor view = TestTensors.random(5, DType.BF16, 1, 40, 120).columns(7, 103);
        same(x, Weight.of(view), view.toArray());
        try (Arena arena = Arena.ofShared()) {
            // The very end of memory that is not on the heap, at an odd address.
            MemorySegment memory = arena.allocate(a.byteSize() + 1).asSlice(1);
            memory.copyFrom(a.data());
            same(x, Weight.of(Tensor.of(memory, DType.BF16, Shape.of(70, 96))), a.toArray());
        }
    }

    @Test
    void weightsThatAreDecodedOnTheWay() {
        int cols = 256;
        List<Weight> weights = List.of(new FourBitCase(40, cols, 64, true).make(1),
                StoredWeights.blocks(BlockFormat.Q8_0, 2, 35, cols),
                StoredWeights.blocks(BlockFormat.Q4_K, 3, 33, cols),
                StoredWeights.scaled(DType.F8_E4M3, 4, 5, cols),
                StoredWeights.adapted(Weight.of(StoredWeights.dense(DType.BF16, 5, 64, cols)), 6, 3));
        Tensor x = TestTensors.random(7, DType.F32, 1, 35, cols);
        for (Weight w : weights) {
            same(x, w, StoredWeights.values(w));
        }
        Weight joined = new Weight.Rows(weights);
        same(x, joined, StoredWeights.values(joined));
    }

    /** To the bit as with the same weights in float32. */
    private static void same(Tensor x, Weight w, float[] values) {
        assertThat(run(2, x, w, null, Epilogue.STORE)).doesNotContain(Float.NaN)
                .isEqualTo(run(1, x, Weight.of(Tensor.of(values, w.rows(), w.cols())), null, Epilogue.STORE));
    }

    /** Left rows that are read where they lie, copied because they cross cache lines, and rounded from float32. */
    @Test
    void leftRowsMayLieAnywhere() {
        Weight w = Weight.of(TestTensors.random(1, DType.BF16, 1, 70, 1600));
        try (Arena arena = Arena.ofShared()) {
            for (int[] size : new int[][] {{33, 96}, {64, 1600}, {1, 64}, {70, 40}}) {
                int rows = size[0];
                int k = size[1];
                Tensor stored = TestTensors.random(2, DType.BF16, 1, rows, k);
                Weight part = Weight.of(((Weight.Dense) w).tensor().columns(0, k));
                float[] expected = run(1, Tensor.of(stored.toArray(), rows, k), part, null, Epilogue.STORE);
                for (int behind : new int[] {0, 2, 64}) {
                    MemorySegment memory = arena.allocate(stored.byteSize() + behind, 64).asSlice(behind);
                    memory.copyFrom(stored.data());
                    Tensor there = Tensor.of(memory, DType.BF16, Shape.of(rows, k));
                    assertThat(run(2, there, part, null, Epilogue.STORE)).isEqualTo(expected);
                }
            }
        }
    }

    /** k in one chunk and in several, and its parts of all sizes: the chain of a sum is the same. */
    @Test
    void resultsDoNotDependOnHowKIsCut() {
        Tensor x = TestTensors.random(1, DType.BF16, 1, 35, 3200);
        Tensor w = TestTensors.random(2, DType.BF16, 1, 33, 3200);
        float[] whole = run(1, x, Weight.of(w), null, Epilogue.STORE);
        // Zeros behind k change no sum but the sign of its zeros.
        for (int k : new int[] {1536, 1568, 3072}) {
            float[] zeros = x.toArray();
            for (int i = 0; i < zeros.length; i++) {
                zeros[i] = i % 3200 < k ? zeros[i] : 0;
            }
            assertThat(run(1, x.columns(0, k), Weight.of(w.columns(0, k)), null, Epilogue.STORE))
                    .isEqualTo(run(1, Tensor.of(zeros, 35, 3200), Weight.of(w), null, Epilogue.STORE))
                    .isNotEqualTo(whole);
        }
    }

    @Test
    void outputInBfloat16IsRounded() {
        Tensor x = TestTensors.random(1, DType.BF16, 1, 37, 64);
        Weight w = Weight.of(TestTensors.random(2, DType.BF16, 1, 300, 64));
        for (Activation activation : Activation.values()) {
            Epilogue epilogue = Epilogue.activate(activation);
            float[] wide = run(1, x, w, null, epilogue);
            Tensor out = Tensor.of(MemorySegment.ofArray(new short[37 * 300]), DType.BF16, Shape.of(37, 300));
            try (Cpu cpu = InterpretedCpu.withTiles(2)) {
                new CpuLinear(cpu).run(new LinearCall(x, w, null, epilogue, out));
            }
            assertThat(out.toArray()).isEqualTo(TestTensors.rounded(Precision.BF16, wide));
        }
    }

    /**
     * What the design counts: for 32 rows, 32 columns and 32 of k four products and four operands; sums are read and
     * stored once for each part of k.
     */
    @Test
    void thereAreNoMoreTileOperationsThanNeeded() {
        for (int[] size : new int[][] {{64, 96, 1024}, {33, 300, 3072}}) {
            TileCount count = new TileCount();
            Tensor x = TestTensors.random(1, DType.BF16, 1, size[0], size[2]);
            Weight w = Weight.of(TestTensors.random(2, DType.BF16, 1, size[1], size[2]));
            try (Cpu cpu = InterpretedCpu.withTiles(2, count)) {
                new CpuLinear(cpu).run(new LinearCall(x, w, null, Epilogue.STORE,
                        Tensor.of(new float[size[0] * size[1]], size[0], size[1])));
            }
            long blocks = (long) Math.ceilDiv(size[0], 32) * Math.ceilDiv(size[1], 32);
            long parts = size[2] / 512;
            assertThat(count.products()).isEqualTo(blocks * size[2] / 32 * 4);
            assertThat(count.loads()).isEqualTo(count.products() + blocks * (parts - 1) * 4);
            assertThat(count.stores()).isEqualTo(blocks * parts * 4);
        }
    }

    @Test
    void resultsDoNotDependOnThreadsOrBatch() {
        threadsAndBatch(544);
        threadsAndBatch(2000);
    }

    /** Workers in numbers that cut panels and groups of rows otherwise. */
    private static void threadsAndBatch(int k) {
        Tensor x = TestTensors.random(1, DType.F32, 1, 150, k);
        Weight w = Weight.of(TestTensors.random(2, DType.BF16, 1, 90, k));
        Tensor bias = TestTensors.random(3, DType.F32, 1, 90);
        Epilogue silu = Epilogue.activate(Activation.SILU);
        float[] one = run(1, x, w, bias, silu);
        for (int threads : new int[] {2, 3, 7}) {
            assertThat(run(threads, x, w, bias, silu)).isEqualTo(one);
        }
        for (int row : new int[] {0, 1, 100, 149}) {
            float[] alone = run(2, x.slice(row, row + 1), w, bias, silu);
            assertThat(alone).isEqualTo(Arrays.copyOfRange(one, row * 90, (row + 1) * 90));
        }
    }

    @Test
    void nothingIsLeftOverFromTheCallBefore() {
        // The second call finds NaN in every buffer of the first.
        try (Cpu cpu = InterpretedCpu.withTiles(1)) {
            CpuLinear linear = new CpuLinear(cpu);
            float[] poison = new float[140 * 140];
            Arrays.fill(poison, Float.NaN);
            Tensor out = Tensor.of(new float[140 * 140], 140, 140);
            linear.run(new LinearCall(Tensor.of(poison, 140, 140), Weight.of(Tensor.of(poison, 140, 140)), null,
                    Epilogue.STORE, out));
            assertThat(out.get(139, 139)).isNaN();
            Tensor x = TestTensors.random(1, DType.F32, 1, 37, 39);
            for (DType type : new DType[] {DType.F32, DType.BF16}) {
                Weight w = Weight.of(TestTensors.random(2, type, 1, 35, 39));
                Tensor second = Tensor.of(new float[37 * 35], 37, 35);
                linear.run(new LinearCall(x, w, null, Epilogue.STORE, second));
                assertThat(second.toArray()).isEqualTo(run(1, x, w, null, Epilogue.STORE));
            }
        }
    }

    /** The interpreter and the CPU that it stands for. */
    @Test
    void tilesOfTheCpuGiveTheSameBits() {
        Levels.assume(CpuLevel.AMX);
        for (LinearCase c : RAGGED) {
            Tensor x = TestTensors.random(1, DType.F32, 1, c.m(), c.k());
            Weight w = Weight.of(TestTensors.random(2, c.type(), 1, c.n(), c.k()));
            Tensor out = Tensor.of(new float[c.m() * c.n()], c.m(), c.n());
            try (Cpu cpu = new Cpu(2, Precision.BF16, CpuLevel.AMX)) {
                new CpuLinear(cpu).run(new LinearCall(x, w, null, Epilogue.STORE, out));
            }
            assertThat(out.toArray()).as(c.toString()).isEqualTo(run(2, x, w, null, Epilogue.STORE));
        }
    }

    private static void check(LinearCase c, Activation activation, Mode mode, int gateRows, boolean withBias) {
        float[] x = TestTensors.gaussian(1, c.m() * c.k(), 1);
        Tensor w = TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), c.n(), c.k());
        Tensor bias = withBias ? TestTensors.random(3, c.type(), 1, c.n()) : null;
        float[] gate = gateRows == 0 ? null : TestTensors.gaussian(4, gateRows * c.n(), 1);
        float[] old = TestTensors.gaussian(5, c.m() * c.n(), 1);
        Tensor out = TestTensors.spread(old, 3, 2, c.m(), c.n());
        Epilogue epilogue = new Epilogue(activation, mode,
                gate == null ? null : TestTensors.spread(gate, 1, 6, gateRows, c.n()));
        try (Cpu cpu = InterpretedCpu.withTiles(2)) {
            new CpuLinear(cpu).run(new LinearCall(TestTensors.spread(x, 2, 5, c.m(), c.k()), Weight.of(w), bias,
                    epilogue, out));
        }
        float[] xs = TestTensors.rounded(Precision.BF16, x);
        float[] ws = TestTensors.rounded(Precision.BF16, w.toArray());
        float[] bs = bias == null ? null : bias.toArray();
        Closeness.check(c + " " + activation + " " + mode + " gate of " + gateRows, out.toArray(),
                LinearReference.exact(c.m(), c.n(), c.k(), xs, ws, bs, activation, mode, gate, old),
                LinearReference.naive(c.m(), c.n(), c.k(), xs, ws, bs, activation, mode, gate, old));
        assertThat(TestTensors.gapsUntouched(out, 2)).isTrue();
    }

    private static float[] run(int threads, Tensor x, Weight w, Tensor bias, Epilogue epilogue) {
        Tensor out = Tensor.of(new float[x.rows() * w.rows()], x.rows(), w.rows());
        try (Cpu cpu = InterpretedCpu.withTiles(threads)) {
            new CpuLinear(cpu).run(new LinearCall(x, w, bias, epilogue, out));
        }
        return out.toArray();
    }
}
