package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.LINE;
import static jdiffusion.kernels.machine.AmxPanels.ROW_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Attention of {@link AmxPanels#SIDE} queries at a time on AMX's tiles. Bounds are checked here, before the code runs;
 * offsets and distances are in bytes, channels a multiple of 32.
 *
 * <p>A block of queries has memory of its own, {@link #size} bytes, which should be aligned as panels are: the queries
 * themselves from {@link #queriesAt} on, bfloat16 [32][channels]; sums, powers and scores; and from {@link #biasAt} on
 * whatever is to be added to scores.
 */
public final class AmxAttention implements AutoCloseable {
    /** Keys of a chunk, after which the largest score is looked at; the last chunk may have fewer. */
    public static final int KEYS = AmxAttentionCode.MOST_BLOCKS * SIDE;
    /** Chunks of a call times their channels, some tens of microseconds. */
    private static final int MOST = 1024;
    /** Scales of scores are less. */
    public static final float MOST_SCALE = 64;
    /** Added to a score it leaves no power; finite, so that a maximum of such is no infinity. */
    public static final float MASKED = -0x1p100f;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MachineCall whole;
    private final MachineCall wholeBiased;
    private final MachineCall last;
    private final MachineCall lastBiased;
    private final MachineCall divide;
    private final MachineCall divideRounded;
    private final MemorySegment beginning;

    AmxAttention(Function<Consumer<Assembler>, ? extends MachineCall> load) {
        whole = load.apply(new AmxAttentionCode(false, false)::write);
        wholeBiased = load.apply(new AmxAttentionCode(false, true)::write);
        last = load.apply(new AmxAttentionCode(true, false)::write);
        lastBiased = load.apply(new AmxAttentionCode(true, true)::write);
        divide = load.apply(x -> AmxAttentionCode.divide(x, false));
        divideRounded = load.apply(x -> AmxAttentionCode.divide(x, true));
        float[] state = new float[2 * SIDE * LINE / Float.BYTES];
        Arrays.fill(state, 0, state.length / 2, AmxAttentionCode.LEAST);
        beginning = MemorySegment.ofArray(state);
    }

    /** Chunks of a call. */
    public static int mostChunks(int channels) {
        return Math.max(1, MOST / channels);
    }

    /** Bytes of packed keys and values, {@code keys} a multiple of 32. */
    public static long packedBytes(long keys, int channels) {
        return 2L * Short.BYTES * keys * channels;
    }

    public static long queriesAt() {
        return AmxAttentionCode.QUERIES;
    }

    private static long sumsAt(int channels) {
        return queriesAt() + (long) SIDE * channels * Short.BYTES;
    }

    public static long biasAt(int channels) {
        return sumsAt(channels) + (long) SIDE * channels * Float.BYTES;
    }

    /** Bytes of a block of queries with so many numbers of bias. */
    public static long size(int channels, int bias) {
        return biasAt(channels) + (long) Float.BYTES * bias;
    }

    /** Before the first key: no sums, and a largest score below any other. */
    public void reset(MemorySegment block, int channels) {
        MemorySegment.copy(beginning, 0, block, AmxAttentionCode.LARGEST, beginning.byteSize());
        block.asSlice(sumsAt(channels), (long) SIDE * channels * Float.BYTES).fill((byte) 0);
    }

    /**
     * Takes whole chunks of keys.
     *
     * @param packed   [chunks]: keys by {@link AmxPanels#packColumns} as {@code KEYS / 32} blocks of
     *                 {@code channels / 32} steps, then values by {@link AmxPanels#packRows} as {@code channels / 32}
     *                 blocks of {@code KEYS / 32} steps
     * @param chunks   at most {@link #mostChunks}
     * @param scale    of scores and bias, positive, less than {@link #MOST_SCALE}
     * @param biasFrom the number in the block's bias that belongs to the first query and key, every query's lies one
     *                 before that of the query before; -1 for no bias
     */
    public void attend(MemorySegment block, int channels, MemorySegment packed, long at, int chunks, float scale,
                       int biasFrom) {
        if (chunks < 1 || chunks > mostChunks(channels)) {
            throw new IllegalArgumentException(chunks + " chunks of keys");
        }
        attend(biasFrom < 0 ? whole : wholeBiased, block, channels, packed, at, chunks, KEYS, scale, biasFrom);
    }

    /**
     * Takes a last chunk, packed in the same way as so many keys.
     *
     * @param keys    a multiple of 32, at most {@link #KEYS}
     * @param missing how many of the last 32 are none
     */
    public void attendLast(MemorySegment block, int channels, MemorySegment packed, long at, int keys, int missing,
                           float scale, int biasFrom) {
        if (keys < SIDE || keys > KEYS || keys % SIDE != 0 || missing < 0 || missing >= SIDE) {
            throw new IllegalArgumentException(keys + " keys, " + missing + " missing");
        }
        for (int i = 0; i < SIDE; i++) {
            block.set(FLOAT, AmxAttentionCode.MASK + (long) Float.BYTES * i,
                    i < SIDE - missing ? Float.POSITIVE_INFINITY : MASKED);
        }
        attend(biasFrom < 0 ? last : lastBiased, block, channels, packed, at, 1, keys, scale, biasFrom);
    }

    private static void attend(MachineCall code, MemorySegment block, int channels, MemorySegment packed, long at,
                               int chunks, int keys, float scale, int biasFrom) {
        requireChannels(channels);
        if (!(scale > 0 && scale < MOST_SCALE)) {
            throw new IllegalArgumentException("scale " + scale);
        }
        Objects.checkFromIndexSize(0, size(channels, 0), block.byteSize());
        Objects.checkFromIndexSize(at, chunks * packedBytes(keys, channels), packed.byteSize());
        long bias = biasAt(channels) + (long) Float.BYTES * biasFrom;
        if (biasFrom >= 0) {
            Objects.checkIndex(biasFrom - SIDE + 1, Integer.MAX_VALUE);
            Objects.checkFromIndexSize(bias, (long) Float.BYTES * chunks * keys, block.byteSize());
        }
        float inPowersOfTwo = (float) (scale / Math.log(2));
        code.call(block, 0, packed, at, block, sumsAt(channels), channels / DEPTH,
                Float.floatToRawIntBits(inPowersOfTwo), keys / SIDE, chunks, 0, bias, 0);
    }

    /**
     * Stores the results of some queries of a block: rows of {@code channels} numbers.
     *
     * @param rounds whether in bfloat16, not float32
     * @param stride distance of the output's rows
     */
    public void divide(boolean rounds, MemorySegment block, int channels, int first, int count, MemorySegment out,
                       long offset, long stride) {
        requireChannels(channels);
        Objects.checkFromIndexSize(first, count, SIDE);
        if (count == 0) {
            return;
        }
        Objects.checkFromIndexSize(0, size(channels, 0), block.byteSize());
        AmxPanels.requireOutput(out, offset, stride, count, (long) channels * (rounds ? Short.BYTES : Float.BYTES));
        long row = (long) first * LINE;
        (rounds ? divideRounded : divide).call(block, AmxAttentionCode.TOTALS + row, block, sumsAt(channels) + row,
                out, offset, channels / DEPTH, stride, count);
    }

    /** The largest score so far of a query of a block, before it is scaled. */
    public static float largest(MemorySegment block, int query) {
        return block.get(FLOAT, AmxAttentionCode.LARGEST + (long) query * LINE);
    }

    /** The sum of the softmax so far of a query of a block. */
    public static float sum(MemorySegment block, int query) {
        float sum = 0;
        for (int i = 0; i < LINE; i += Float.BYTES) {
            sum += block.get(FLOAT, AmxAttentionCode.TOTALS + (long) query * LINE + i);
        }
        return sum;
    }

    private static void requireChannels(int channels) {
        if (channels < 1 || channels % DEPTH != 0 || channels / DEPTH > AmxPanels.MOST / AmxAttentionCode.MOST_BLOCKS) {
            throw new IllegalArgumentException("heads of " + channels + " channels, in lines of " + ROW_STEP_BYTES);
        }
    }

    @Override
    public void close() {
        for (MachineCall code : new MachineCall[] {whole, wholeBiased, last, lastBiased, divide, divideRounded}) {
            code.close();
        }
    }
}
