package jdiffusion.kernels.machine;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** For tests that run at every level of the CPU: skips, with the reason, those that this machine has not. */
public final class Levels {
    private Levels() {
    }

    public static void assume(CpuLevel level) {
        assumeTrue(level.obstacle() == null, () -> level.label() + ": " + level.obstacle());
    }

    /** Products on tiles by the interpreter, also where the CPU has no tiles. */
    public static AmxProducts interpretedTiles() {
        return new AmxProducts(InterpretedFunction::new);
    }
}
