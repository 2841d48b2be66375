package jdiffusion.kernels.machine;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * For tests that run at every level of the CPU: skips, with the reason, those that this machine has not, and those that
 * no machine has together with vectors of 128 bits.
 */
public final class Levels {
    private Levels() {
    }

    public static void assume(CpuLevel level) {
        assumeTrue(level.obstacle() == null, () -> level.label() + ": " + level.obstacle());
        assumeTrue(level == CpuLevel.VECTOR || !"128".equals(System.getProperty("jdiffusion.vectorBits")),
                () -> level.label() + ": a CPU that has it has wider vectors");
    }

    /** Products on tiles by the interpreter, also where the CPU has no tiles; none may lie across cache lines. */
    public static AmxPanels interpretedTiles(TileCount count) {
        return new AmxPanels(body -> new InterpretedFunction(body, count));
    }

    /** The same with the products themselves in Java, for more numbers than the interpreter can do. */
    public static AmxPanels twinTiles() {
        return TwinProduct.panels();
    }

    /** All that products in bfloat16 need beside tiles, by the interpreter. */
    public static MachineProducts interpretedPairs(int columns, int narrowColumns) {
        return new MachineProducts(CpuLevel.AMX, true, columns, narrowColumns, InterpretedFunction::new);
    }

    /** The way of sums into the output by the interpreter. */
    public static MachineStores interpretedStores(int columns) {
        return new MachineStores(columns, true, InterpretedFunction::new);
    }
}
