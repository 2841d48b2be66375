package jdiffusion.emulator.exec;

/** An instruction that the lanes of a warp execute at once. */
@FunctionalInterface
interface WideOp {
    /**
     * Executes it for the lanes in {@code mask}.
     *
     * @param d the slot of the result, as {@link Layout} gives it; {@code a}, {@code b} and {@code c} those of the
     *          operands, or numbers, as {@link WideTable} says
     */
    void run(Warp w, int mask, int d, int a, int b, int c);
}
