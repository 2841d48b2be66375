package jdiffusion.emulator.exec;

import jdiffusion.emulator.KernelCounters.InstructionClass;

/**
 * One instruction of a kernel, for messages and counters.
 *
 * @param flops tensor-core operations of one execution by a warp
 */
public record Site(int line, String text, InstructionClass kind, int flops) {}
