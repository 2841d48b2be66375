package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.Dim3;

/**
 * What all blocks of a launch have in common.
 *
 * @param grid          blocks
 * @param block         threads of a block
 * @param cluster       blocks of a cluster; null where neither the launch nor the kernel says
 * @param dynamicShared bytes of dynamic shared memory of a block
 * @param gridBarrier   address of what the blocks of a cooperative launch meet at, else 0
 * @param seed          decides the order of warps, and when copies land
 * @param check         whether races and the like are looked for
 */
public record Launch(CompiledKernel kernel, DeviceMemory memory, Dim3 grid, Dim3 block, Dim3 cluster, int dynamicShared,
        byte[] parameters, long gridBarrier, long seed, boolean check) {}
