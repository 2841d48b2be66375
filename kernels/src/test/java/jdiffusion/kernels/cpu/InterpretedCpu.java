package jdiffusion.kernels.cpu;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.MachineStores;

/** The CPU at the level AMX in bfloat16, whose machine code is interpreted: for tests where there is no AMX. */
public final class InterpretedCpu {
    private InterpretedCpu() {
    }

    public static Cpu withTiles(int threads) {
        return new Cpu(threads, Precision.BF16, new Products(
                Levels.interpretedPairs(MicroKernel.NR, Simd.LANES), Levels.interpretedTiles(Products.TILE_COLUMNS),
                MachineStores.takes(MicroKernel.NR) ? Levels.interpretedStores(MicroKernel.NR) : null));
    }
}
