package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The inner loop of matrix products in machine code, and what packs operands for it. Bounds are checked here, before
 * the code runs; one call takes some microseconds.
 */
public final class MachineProducts implements AutoCloseable {
    private static final int ROWS = ProductCode.ROWS;
    private static final int WORD = 4;

    private final int columns;
    private final int narrowColumns;
    private final boolean pairs;
    private final Map<Start, MachineCall> products = new EnumMap<>(Start.class);
    private final Map<Start, MachineCall> lookingAhead = new EnumMap<>(Start.class);
    private final Map<Start, MachineCall> narrowProducts = new EnumMap<>(Start.class);
    private final MachineCall roundPairs;
    private final MachinePairs beside;
    private final ArraySegments segments = new ArraySegments();

    /**
     * @param level         one without an obstacle, not VECTOR
     * @param bf16          whether products are of numbers rounded to bfloat16
     * @param columns       of a tile; a power of two, at least 4, and at least 16 for pairs
     * @param narrowColumns of the tile for few columns
     */
    public MachineProducts(CpuLevel level, boolean bf16, int columns, int narrowColumns) {
        this(usable(level), bf16, columns, narrowColumns, MachineFunction::new);
    }

    /** @param load makes a function out of what its writer emits */
    MachineProducts(CpuLevel level, boolean bf16, int columns, int narrowColumns,
                    Function<Consumer<Assembler>, ? extends MachineCall> load) {
        this.columns = columns;
        this.narrowColumns = narrowColumns;
        pairs = bf16 && level.hasPairs() && MachinePairs.takes(columns);
        for (Start start : pairs ? Start.values() : new Start[] {Start.SUMS, Start.ROW_BEFORE}) {
            ProductCode code = ProductCode.of(level, columns, pairs, start);
            products.put(start, load.apply(code::write));
            if (code.canLookAhead() && start != Start.ZERO) {
                lookingAhead.put(start, load.apply(code.withAhead()::write));
            }
            narrowProducts.put(start, load.apply(ProductCode.of(level, narrowColumns, pairs, start)::write));
        }
        roundPairs = pairs ? load.apply(RoundCode::pairs) : null;
        beside = pairs ? new MachinePairs(columns, load) : null;
    }

    private static CpuLevel usable(CpuLevel level) {
        if (level == CpuLevel.VECTOR || level.obstacle() != null) {
            throw new IllegalArgumentException("no machine code for " + level + ": " + level.obstacle());
        }
        return level;
    }

    /** Whether a word of an operand is two numbers in bfloat16, the lower half first; else it is one in float32. */
    public boolean inPairs() {
        return pairs;
    }

    /** What goes with products in pairs; null without {@link #inPairs}. */
    public MachinePairs pairs() {
        return beside;
    }

    /**
     * tiles [panels][6][columns] += A B, or from another start, each sum one chain in the order of k.
     *
     * @param start   {@link Start#ZERO} only with {@link #inPairs}
     * @param panels  of 6 rows, so few that the call takes some microseconds
     * @param k       words of a row; even, and unless the start is SUMS not 0
     * @param a       6 * panels rows of words
     * @param aStride distance of A's rows, not negative
     * @param b       a panel [k][columns] of words
     */
    public void multiply(Start start, int panels, int k, float[] a, int aOffset, int aStride, float[] b, int bOffset,
                         float[] tiles, int tilesOffset) {
        multiply(products, start, columns, panels, k, segments.of(a), (long) WORD * aOffset, (long) WORD * aStride, b,
                bOffset, tiles, tilesOffset, null);
    }

    /** The same; meanwhile what lies ahead comes into the caches, where there is code for that. */
    public void multiply(Start start, int panels, int k, float[] a, int aOffset, int aStride, float[] b, int bOffset,
                         float[] tiles, int tilesOffset, Ahead ahead) {
        multiply(start, panels, k, segments.of(a), (long) WORD * aOffset, (long) WORD * aStride, b, bOffset, tiles,
                tilesOffset, ahead);
    }

    /**
     * The same with rows anywhere.
     *
     * @param aOffset in bytes, of the first row
     * @param aStride distance of A's rows in bytes, not negative
     */
    public void multiply(Start start, int panels, int k, MemorySegment a, long aOffset, long aStride, float[] b,
                         int bOffset, float[] tiles, int tilesOffset, Ahead ahead) {
        boolean looks = lookingAhead.containsKey(start);
        multiply(looks ? lookingAhead : products, start, columns, panels, k, a, aOffset, aStride, b, bOffset, tiles,
                tilesOffset, looks ? ahead : null);
    }

    /** One panel with as many columns as the narrow tile has. */
    public void multiplyNarrow(Start start, int k, float[] a, int aOffset, int aStride, float[] b, int bOffset,
                               float[] tile, int tileOffset) {
        multiplyNarrow(start, k, segments.of(a), (long) WORD * aOffset, (long) WORD * aStride, b, bOffset, tile,
                tileOffset);
    }

    /** The same with rows anywhere, offset and stride in bytes. */
    public void multiplyNarrow(Start start, int k, MemorySegment a, long aOffset, long aStride, float[] b, int bOffset,
                               float[] tile, int tileOffset) {
        multiply(narrowProducts, start, narrowColumns, 1, k, a, aOffset, aStride, b, bOffset, tile, tileOffset, null);
    }

    private void multiply(Map<Start, MachineCall> functions, Start start, int width, int panels, int k, MemorySegment a,
                          long aOffset, long aStride, float[] b, int bOffset, float[] tile, int tileOffset,
                          Ahead ahead) {
        if (panels < 0 || k < 0 || k % 2 != 0 || aStride < 0) {
            throw new IllegalArgumentException(panels + " panels, " + k + " steps along rows " + aStride
                    + " bytes apart");
        }
        MachineCall function = functions.get(start);
        if (function == null || k == 0 && start != Start.SUMS) {
            throw new IllegalArgumentException(k + " steps from " + start);
        }
        if (panels == 0 || k == 0) {
            return;
        }
        long rows = (long) ROWS * panels;
        // Beyond all memory the size is negative, which the check refuses.
        boolean far = Math.multiplyHigh(rows - 1, aStride) != 0;
        long lastRow = far ? Long.MAX_VALUE : (rows - 1) * aStride;
        Objects.checkFromIndexSize(aOffset, lastRow < 0 ? lastRow : lastRow + (long) WORD * k, a.byteSize());
        Objects.checkFromIndexSize(bOffset, (long) k * width, b.length);
        Objects.checkIndex(start == Start.ROW_BEFORE ? bOffset - width : bOffset, b.length);
        Objects.checkFromIndexSize(tileOffset, rows * width, tile.length);
        boolean looks = ahead != null;
        function.call(a, aOffset, segments.of(b), (long) WORD * bOffset,
                segments.of(tile), (long) WORD * tileOffset, k, aStride, panels,
                looks ? ahead.read() : 0, looks ? ahead.readStride() : 0, looks ? ahead.write() : 0,
                looks ? ahead.writeStride() : 0);
    }

    /**
     * Rounds numbers to bfloat16, each two of them a word of {@code to}; only with {@link #inPairs}. In {@code to}
     * the words are filled up to a multiple of 16, and in {@code from} twice as many numbers are read.
     */
    public void roundPairs(float[] from, int at, int words, float[] to, int toAt) {
        roundPairs(from, at, words, segments.of(to), (long) WORD * toAt);
    }

    /** The same with words anywhere, {@code toAt} in bytes. */
    public void roundPairs(float[] from, int at, int words, MemorySegment to, long toAt) {
        int rounded = up(words);
        Objects.checkFromIndexSize(at, 2L * rounded, from.length);
        Objects.checkFromIndexSize(toAt, (long) WORD * rounded, to.byteSize());
        if (rounded > 0) {
            roundPairs.call(segments.of(from), (long) WORD * at, MemorySegment.NULL, 0, to, toAt, rounded, 0, 0);
        }
    }

    /** To be called when arrays that were used go out of use, so that they can be collected. */
    public void forgetArrays() {
        segments.clear();
        if (beside != null) {
            beside.forgetArrays();
        }
    }

    /** How many of {@code count} numbers {@link #roundPairs} reads. */
    public static int padded(int count) {
        return 2 * up(Math.ceilDiv(count, 2));
    }

    private static int up(int words) {
        return Math.ceilDiv(words, RoundCode.WORDS) * RoundCode.WORDS;
    }

    @Override
    public void close() {
        products.values().forEach(MachineCall::close);
        lookingAhead.values().forEach(MachineCall::close);
        narrowProducts.values().forEach(MachineCall::close);
        if (pairs) {
            roundPairs.close();
            beside.close();
        }
    }
}
