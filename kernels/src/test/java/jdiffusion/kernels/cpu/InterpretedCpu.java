package jdiffusion.kernels.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.MachineStores;
import jdiffusion.kernels.machine.TileCount;

/** The CPU at the level AMX in bfloat16, whose machine code is interpreted: for tests where there is no AMX. */
public final class InterpretedCpu {
    private InterpretedCpu() {
    }

    /** Skips the test, with the reason, where vectors are too narrow for pairs, without which there are no tiles. */
    public static Cpu withTiles(int threads) {
        return withTiles(threads, new TileCount());
    }

    public static Cpu withTiles(int threads, TileCount count) {
        assumeTrue(MachinePairs.takes(MicroKernel.NR), "no pairs with vectors of this width");
        return new Cpu(threads, Precision.BF16, new Products(
                Levels.interpretedPairs(MicroKernel.NR, Simd.LANES), Levels.interpretedTiles(count),
                MachineStores.takes(MicroKernel.NR) ? Levels.interpretedStores(MicroKernel.NR) : null));
    }
}
