package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The online softmax (Milakov and Gimelshein, 2018) of blocks of scores that become words of bfloat16, in machine code.
 * Its state is an array's, so that every worker has its own.
 */
public final class MachineSoftmax implements AutoCloseable {
    private static final int SIDE = MachinePairs.SIDE;
    private static final int WORD = 4;

    private final int columns;
    private final MachineCall code;
    private final ArraySegments segments = new ArraySegments();
    private final MemorySegment interleave = MemorySegment.ofArray(RoundCode.interleave());

    /** @param columns queries side by side in a block of scores */
    MachineSoftmax(int columns, Function<Consumer<Assembler>, ? extends MachineCall> load) {
        this.columns = columns;
        code = load.apply(x -> AttentionCode.softmax(x, columns));
    }

    /** Floats of the state of a block's softmax. */
    public int stateSize() {
        return 3 * columns;
    }

    /** The state before the first block, {@link #stateSize} floats: no sum, and a largest score below any other. */
    public void reset(float[] state, int at) {
        for (int i = 0; i < columns; i++) {
            state[at + i] = -0x1p120f;
            state[at + columns + i] = 0;
        }
        MemorySegment.copy(interleave, 0, segments.of(state), (long) WORD * (at + 2 * columns), (long) WORD * SIDE);
    }

    /** The largest score so far of a query, before it is scaled. */
    public float largest(float[] state, int at, int query) {
        return state[at + query];
    }

    /** The sum of the softmax so far of a query. */
    public float sum(float[] state, int at, int query) {
        return state[at + columns + query];
    }

    /**
     * Takes a block of keys into a softmax. Its scores [keys][columns] become words [keys / 2][columns] of two keys
     * each: exp(scale * (score - largest score)). What was summed with the weights of blocks before is brought to the
     * new largest score.
     *
     * @param scale positive, less than 64
     * @param sums  [channels][columns]
     */
    public void run(float[] scores, int keys, float scale, float[] state, int stateAt, float[] sums, int sumsAt,
                        int channels) {
        if (keys <= 0 || keys % 2 != 0 || channels <= 0 || !(scale > 0 && scale < 64)) {
            throw new IllegalArgumentException(keys + " keys, " + channels + " channels, scale " + scale);
        }
        Objects.checkFromIndexSize(0, (long) keys * columns, scores.length);
        Objects.checkFromIndexSize(stateAt, stateSize(), state.length);
        Objects.checkFromIndexSize(sumsAt, (long) channels * columns, sums.length);
        float inPowersOfTwo = (float) (scale / Math.log(2));
        code.call(segments.of(scores), 0, segments.of(state), (long) WORD * stateAt, segments.of(sums),
                (long) WORD * sumsAt, keys, Float.floatToRawIntBits(inPowersOfTwo), channels);
    }

    /** See {@link MachinePairs#forgetArrays}. */
    void forgetArrays() {
        segments.clear();
    }

    @Override
    public void close() {
        code.close();
    }
}
