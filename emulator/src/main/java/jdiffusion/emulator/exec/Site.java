package jdiffusion.emulator.exec;

import jdiffusion.emulator.KernelCounters.InstructionClass;

/**
 * One instruction of a kernel, for messages and counters.
 *
 * @param flops tensor-core operations of one execution by a warp
 * @param strong whether a load or store is a strong operation of PTX's memory model, which atomics do not race with
 */
public record Site(int line, String text, InstructionClass kind, int flops, boolean strong) {}
