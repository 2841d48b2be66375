package jdiffusion.emulator.exec;

import jdiffusion.emulator.KernelCounters.InstructionClass;

/**
 * One instruction of a kernel, for messages and counters.
 *
 * @param flops tensor-core operations of one execution by a warp
 * @param order what its accesses are in PTX's memory model: the sum of some of the constants, 0 for weak ones
 */
public record Site(int line, String text, InstructionClass kind, int flops, int order) {
    /** Of loads and stores: strong operations, which are in no race with each other nor with atomics. */
    static final int STRONG = 1;
    /** Of these, those that are so by {@code .volatile} alone. */
    static final int VOLATILE = 2;
    static final int ACQUIRE = 4;
    static final int RELEASE = 8;

    boolean strong() {
        return (order & STRONG) != 0;
    }

    boolean has(int property) {
        return (order & property) != 0;
    }
}
