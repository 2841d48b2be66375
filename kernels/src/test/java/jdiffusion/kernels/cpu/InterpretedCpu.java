package jdiffusion.kernels.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.machine.AmxPanels;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.MachineStores;
import jdiffusion.kernels.machine.TileCount;
import jdiffusion.tensor.DType;

/**
 * The CPU at the level AMX, whose machine code is interpreted: for tests where there is no AMX. Its buffers are those
 * that other kernels have left: larger than is asked for, and full of NaN.
 */
public final class InterpretedCpu {
    private static final int LEFT = 1 << 16;

    private InterpretedCpu() {
    }

    /** In bfloat16. Skips the test, with the reason, where vectors are too narrow for pairs. */
    public static Cpu withTiles(int threads) {
        return withTiles(threads, new TileCount());
    }

    public static Cpu withTiles(int threads, TileCount count) {
        return inPairs(threads, Levels.interpretedTiles(count));
    }

    /** The same without tiles, as at the level AVX-512 with bfloat16. */
    public static Cpu withPairs(int threads) {
        return inPairs(threads, null);
    }

    private static Cpu inPairs(int threads, AmxPanels tilesOrNull) {
        assumeTrue(MachinePairs.takes(MicroKernel.NR), "no pairs with vectors of this width");
        return used(new Cpu(threads, Precision.BF16, new Products(Precision.BF16,
                Levels.interpretedPairs(MicroKernel.NR, Simd.LANES), tilesOrNull,
                MachineStores.takes(MicroKernel.NR) ? Levels.interpretedStores(MicroKernel.NR) : null)), threads);
    }

    private static Cpu used(Cpu cpu, int threads) {
        for (Buffer use : Buffer.values()) {
            Arrays.fill(cpu.shared(use, LEFT), Float.NaN);
            for (int worker = 0; worker < threads; worker++) {
                Arrays.fill(cpu.local(worker, use, LEFT), Float.NaN);
            }
        }
        return cpu;
    }

    /** In a split precision; what is not on tiles runs on the Vector API. */
    public static Cpu withParts(Precision precision, int threads, TileCount count) {
        return used(new Cpu(threads, precision, new Products(precision, null, Levels.interpretedTiles(count), null)),
                threads);
    }

    /** A backend in a split precision whose products are in Java with the same bits, for whole pictures. */
    public static CpuBackend backend(Precision precision, int threads) {
        return new CpuBackend(new Cpu(threads, precision, new Products(precision, null, Levels.twinTiles(), null)),
                DType.F32);
    }
}
