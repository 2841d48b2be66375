package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.kernels.Activation;

/**
 * What kernels on pairs of bfloat16 do beside their products, in machine code: rounding, norm, transposition, {@link
 * MachineSoftmax}. Bounds are checked here, before the code runs; a call takes some microseconds. Words are 32 bits,
 * two numbers in bfloat16, the first in the lower half.
 */
public final class MachinePairs implements AutoCloseable {
    /** Rows that are transposed at a time, and what their words and all widths here are a multiple of. */
    public static final int SIDE = TransposeCode.SIDE;
    /** Floats before the weight in the parameters of a norm. */
    public static final int NORM_HEAD = 2 * SIDE;
    /** The same of rows of words. */
    private static final int WORD_NORM_HEAD = 3 * SIDE;
    /** Floats before the weight of what {@link #heads} takes. */
    private static final int HEADS_HEAD = HeadCode.HEAD * SIDE;
    private static final int WORD = 4;
    private static final int HALF = 2;

    /** What normalises the channels of a head: nothing, an RMS norm with weights, or a LayerNorm without. */
    public enum HeadNorm { NONE, RMS, LAYER }

    private final MachineCall rows;
    private final MachineCall normed;
    private final MachineCall pairs;
    private final MachineCall normedWords;
    private final MachineCall pairsOfWords;
    private final MachineCall transpose;
    private final MachineSoftmax softmax;
    private final Map<Activation, MachineCall> activations = new EnumMap<>(Activation.class);
    private final Map<Activation, MachineCall> norms = new ConcurrentHashMap<>();
    private final Function<Activation, MachineCall> makeNorm;
    private final Map<HeadCode, MachineCall> heads = new ConcurrentHashMap<>();
    private final Function<HeadCode, MachineCall> makeHeads;
    private final ArraySegments segments = new ArraySegments();
    private final MemorySegment interleave = MemorySegment.ofArray(RoundCode.interleave());
    private final MemorySegment join = MemorySegment.ofArray(WordCode.join());
    private final MemorySegment neighbours = MemorySegment.ofArray(HeadCode.neighbours());

    /**
     * @param columns queries side by side in a block of scores, a multiple of {@link #SIDE}
     * @param load    makes a function out of what its writer emits
     */
    MachinePairs(int columns, Function<Consumer<Assembler>, ? extends MachineCall> load) {
        if (!takes(columns)) {
            throw new IllegalArgumentException("blocks of " + columns + " queries");
        }
        rows = load.apply(x -> AttentionCode.rows(x, false));
        normed = load.apply(x -> AttentionCode.rows(x, true));
        pairs = load.apply(AttentionCode::pairs);
        normedWords = load.apply(WordCode::normed);
        pairsOfWords = load.apply(WordCode::pairs);
        transpose = load.apply(TransposeCode::write);
        softmax = new MachineSoftmax(columns, load);
        makeNorm = activation -> load.apply(new NormCode(new ActivationCode(activation))::write);
        makeHeads = code -> load.apply(code::write);
        for (Activation activation : Activation.values()) {
            if (activates(activation)) {
                activations.put(activation, load.apply(new ActivationCode(activation)::array));
            }
        }
    }

    /**
     * Rounds rows of float32 to rows of words, which follow each other; they may begin where the rows do.
     *
     * @param offset   in bytes, of the first row
     * @param stride   distance of the rows in bytes
     * @param channels of a row, a multiple of 32
     * @param norm     null, or 16 times 1 / n, 16 times eps, then [channels]: rows are multiplied by
     *                 1 / sqrt(sum(row^2) / n + eps) and by these
     * @param at       in bytes
     */
    public void rows(MemorySegment from, long offset, long stride, int count, int channels, float[] norm,
                     MemorySegment to, long at) {
        requireRows(count, stride, channels, 2 * SIDE);
        if (count == 0) {
            return;
        }
        Objects.checkFromIndexSize(offset, lastRow(count - 1, stride) + (long) WORD * channels, from.byteSize());
        Objects.checkFromIndexSize(at, (long) HALF * count * channels, to.byteSize());
        if (norm == null) {
            rows.call(from, offset, MemorySegment.NULL, 0, to, at, count, stride, channels / (2 * SIDE));
        } else {
            Objects.checkFromIndexSize(0, NORM_HEAD + channels, norm.length);
            normed.call(from, offset, segments.of(norm), 0, to, at, count, stride, channels / (2 * SIDE));
        }
    }

    /** The same into an array; {@code at} counts its words. */
    public void rows(MemorySegment from, long offset, long stride, int count, int channels, float[] norm, float[] to,
                     int at) {
        rows(from, offset, stride, count, channels, norm, segments.of(to), (long) WORD * at);
    }

    /** The same from an array; {@code from} and {@code stride} count floats. */
    public void rows(float[] values, int from, int stride, int count, int channels, float[] norm, float[] to, int at) {
        rows(segments.of(values), (long) WORD * from, (long) WORD * stride, count, channels, norm, to, at);
    }

    /** Whether there are products in pairs for tiles of so many columns. */
    public static boolean takes(int columns) {
        return columns > 0 && columns % SIDE == 0;
    }

    /** Floats of the parameters of a norm of rows of words. */
    public static int wordNormSize(int channels) {
        return WORD_NORM_HEAD + channels;
    }

    /**
     * The parameters of a norm as {@link #normedWords} takes them.
     *
     * @param factor   of the sum of squares, 1 / n
     * @param weight   [channels] from {@code from} on
     * @param channels a multiple of 32
     * @param to       {@link #wordNormSize} floats, written
     */
    public void wordNorm(float factor, float eps, float[] weight, int from, int channels, float[] to) {
        requireRows(0, 0, channels, 2 * SIDE);
        Arrays.fill(to, 0, SIDE, factor);
        Arrays.fill(to, SIDE, 2 * SIDE, eps);
        MemorySegment.copy(interleave, 0, segments.of(to), (long) WORD * 2 * SIDE, (long) WORD * SIDE);
        for (int i = 0; i < channels; i += 2 * SIDE) {
            for (int j = 0; j < SIDE; j++) {
                to[WORD_NORM_HEAD + i + j] = weight[from + i + 2 * j];
                to[WORD_NORM_HEAD + i + SIDE + j] = weight[from + i + 2 * j + 1];
            }
        }
    }

    /**
     * Normalises rows of bfloat16 as {@link #rows} those of float32.
     *
     * @param offset   in bytes, of the first row
     * @param stride   distance of the rows in bytes
     * @param channels of a row, a multiple of 32
     * @param norm     as {@link #wordNorm} writes it
     * @param at       in bytes
     */
    public void normedWords(MemorySegment from, long offset, long stride, int count, int channels, float[] norm,
                            MemorySegment to, long at) {
        requireRows(count, stride, channels, 2 * SIDE);
        if (count == 0) {
            return;
        }
        Objects.checkFromIndexSize(offset, lastRow(count - 1, stride) + (long) HALF * channels, from.byteSize());
        Objects.checkFromIndexSize(0, wordNormSize(channels), norm.length);
        Objects.checkFromIndexSize(at, (long) HALF * count * channels, to.byteSize());
        normedWords.call(from, offset, segments.of(norm), 0, to, at, count, stride, channels / (2 * SIDE));
    }

    /** The same into an array; {@code at} counts its words. */
    public void normedWords(MemorySegment from, long offset, long stride, int count, int channels, float[] norm,
                            float[] to, int at) {
        normedWords(from, offset, stride, count, channels, norm, segments.of(to), (long) WORD * at);
    }

    /** Floats before the rows that {@link #heads} takes. */
    public static int headsSize(int channels) {
        return HEADS_HEAD + channels;
    }

    /**
     * Writes what stands before the rows that {@link #heads} takes, but for an RMS norm's weights: those belong into
     * the last {@code channels} of {@link #headsSize} floats.
     *
     * @param present  channels of a head, the first of a row
     * @param channels of a row, a multiple of 32
     */
    public void beginHeads(float eps, int present, int channels, float[] values) {
        requireRows(0, 0, channels, 2 * SIDE);
        MemorySegment.copy(neighbours, 0, segments.of(values), 0, (long) WORD * SIDE);
        Arrays.fill(values, SIDE, 2 * SIDE, 1f / present);
        Arrays.fill(values, 2 * SIDE, HEADS_HEAD, eps);
        Arrays.fill(values, HEADS_HEAD, HEADS_HEAD + present, 1);
        Arrays.fill(values, HEADS_HEAD + present, HEADS_HEAD + channels, 0);
    }

    /** Where in a row of the table that {@link #heads} takes a channel's cosine lies; its sine lies 16 behind. */
    public static int cosineAt(int channel) {
        return channel / SIDE * 2 * SIDE + channel % SIDE;
    }

    /**
     * Normalises rows of float32 that follow each other, turns neighbouring channels as pairs, and rounds them to
     * words.
     *
     * @param values   as {@link #beginHeads} writes them, then the rows [count][channels], zeros behind a head's
     *                 channels
     * @param channels of a row, a multiple of 32
     * @param table    null, or from {@code tableAt} on [count][2 * channels]: for each channel, where {@link #cosineAt}
     *                 says, the factor of its own value and that of its neighbour's
     * @param at       in bytes
     */
    public void heads(HeadNorm norm, float[] values, int count, int channels, float[] table, int tableAt,
                      MemorySegment to, long at) {
        requireRows(count, 0, channels, 2 * SIDE);
        if (count == 0) {
            return;
        }
        Objects.checkFromIndexSize(0, headsSize(channels) + (long) count * channels, values.length);
        Objects.checkFromIndexSize(at, (long) HALF * count * channels, to.byteSize());
        if (table != null) {
            Objects.checkFromIndexSize(tableAt, 2L * count * channels, table.length);
        }
        heads.computeIfAbsent(new HeadCode(norm, table != null), makeHeads).call(segments.of(values), 0,
                table == null ? MemorySegment.NULL : segments.of(table), table == null ? 0 : (long) WORD * tableAt,
                to, at, count, (long) WORD * channels, channels / (2 * SIDE));
    }

    /** Whether {@link #normed} knows an activation. */
    public static boolean norms(Activation activation) {
        return ActivationCode.has(activation);
    }

    /**
     * Normalises pixels of float32, which follow each other, activates them, and rounds them to words.
     *
     * @param activation one that it {@link #norms}
     * @param offset     in bytes, of the first pixel
     * @param pixels     so few that it takes some microseconds
     * @param channels   of a pixel, a multiple of 32
     * @param factors    [3][channels]: (x + a) * b + c
     * @param at         in bytes
     */
    public void normed(Activation activation, MemorySegment from, long offset, int pixels, int channels,
                       float[] factors, MemorySegment to, long at) {
        requireRows(pixels, 0, channels, 2 * SIDE);
        if (!norms(activation)) {
            throw new IllegalArgumentException("no code for " + activation);
        }
        if (pixels == 0) {
            return;
        }
        long numbers = Math.multiplyExact((long) pixels, channels);
        Objects.checkFromIndexSize(offset, WORD * numbers, from.byteSize());
        Objects.checkFromIndexSize(0, 3L * channels, factors.length);
        Objects.checkFromIndexSize(at, HALF * numbers, to.byteSize());
        norms.computeIfAbsent(activation, makeNorm).call(from, offset, segments.of(factors), 0, to, at,
                channels / (2 * SIDE), (long) WORD * channels, pixels);
    }

    /** The same into an array; {@code at} counts its words. */
    public void normed(Activation activation, MemorySegment from, long offset, int pixels, int channels,
                       float[] factors, float[] to, int at) {
        normed(activation, from, offset, pixels, channels, factors, segments.of(to), (long) WORD * at);
    }

    /**
     * Rounds {@code 2 * count} rows of float32 to rows [count][channels] of words, each word two numbers one below the
     * other; offset and stride as in {@link #rows}, channels a multiple of 16.
     */
    public void pairs(MemorySegment from, long offset, long stride, int count, int channels, float[] to, int at) {
        requireRows(count, stride, channels, SIDE);
        if (count == 0) {
            return;
        }
        Objects.checkFromIndexSize(offset, lastRow(2L * count - 1, stride) + (long) WORD * channels, from.byteSize());
        Objects.checkFromIndexSize(at, (long) count * channels, to.length);
        pairs.call(from, offset, interleave, 0, segments.of(to), (long) WORD * at, count, stride, channels / SIDE);
    }

    /** The same from an array; {@code from} and {@code stride} count floats. */
    public void pairs(float[] values, int from, int stride, int count, int channels, float[] to, int at) {
        pairs(segments.of(values), (long) WORD * from, (long) WORD * stride, count, channels, to, at);
    }

    /** {@link #pairs} of rows of bfloat16, as they are; channels are a multiple of 32. */
    public void pairsOfWords(MemorySegment from, long offset, long stride, int count, int channels, float[] to,
                             int at) {
        requireRows(count, stride, channels, 2 * SIDE);
        if (count == 0) {
            return;
        }
        Objects.checkFromIndexSize(offset, lastRow(2L * count - 1, stride) + (long) HALF * channels, from.byteSize());
        Objects.checkFromIndexSize(at, (long) count * channels, to.length);
        pairsOfWords.call(from, offset, join, 0, segments.of(to), (long) WORD * at, count, stride,
                channels / (2 * SIDE));
    }

    /**
     * Transposes {@link #SIDE} rows of words to rows of {@link #SIDE} words.
     *
     * @param offset in bytes, of the first row
     * @param stride distance of the rows in bytes
     * @param words  of a row, a multiple of {@link #SIDE}
     * @param apart  distance of the new rows in floats
     */
    public void transpose(MemorySegment from, long offset, long stride, int words, float[] to, int at, int apart) {
        requireRows(SIDE, stride, words, SIDE);
        if (apart < SIDE) {
            throw new IllegalArgumentException("rows of " + SIDE + " words " + apart + " apart");
        }
        if (words == 0) {
            return;
        }
        Objects.checkFromIndexSize(offset, lastRow(SIDE - 1, stride) + (long) WORD * words, from.byteSize());
        Objects.checkFromIndexSize(at, (words - 1L) * apart + SIDE, to.length);
        transpose.call(from, offset, MemorySegment.NULL, 0, segments.of(to), (long) WORD * at, words / SIDE, stride,
                (long) WORD * apart);
    }

    /** The same from an array; {@code from} and {@code stride} count floats. */
    public void transpose(float[] values, int from, int stride, int words, float[] to, int at, int apart) {
        transpose(segments.of(values), (long) WORD * from, (long) WORD * stride, words, to, at, apart);
    }

    /** Whether {@link #activate} knows it. */
    public static boolean activates(Activation activation) {
        return activation != Activation.NONE && ActivationCode.has(activation);
    }

    /** Applies an activation to {@code n} numbers, a multiple of 16 and so few that it takes some microseconds. */
    public void activate(Activation activation, float[] values, int at, int n) {
        if (!activates(activation) || n < 0 || n % SIDE != 0) {
            throw new IllegalArgumentException(activation + " of " + n + " numbers");
        }
        Objects.checkFromIndexSize(at, n, values.length);
        if (n > 0) {
            activations.get(activation).call(segments.of(values), (long) WORD * at, MemorySegment.NULL, 0,
                    MemorySegment.NULL, 0, n / SIDE, 0, 0);
        }
    }

    /** The softmax of blocks of scores. */
    public MachineSoftmax softmax() {
        return softmax;
    }

    private static void requireRows(int count, long stride, int channels, int multiple) {
        if (count < 0 || stride < 0 || channels <= 0 || channels % multiple != 0) {
            throw new IllegalArgumentException(count + " rows of " + channels + ", " + stride + " bytes apart");
        }
    }

    private static long lastRow(long row, long stride) {
        return Math.multiplyExact(row, stride);
    }

    /** To be called when arrays that were used go out of use, so that they can be collected. */
    public void forgetArrays() {
        segments.clear();
        softmax.forgetArrays();
    }

    @Override
    public void close() {
        rows.close();
        normed.close();
        pairs.close();
        normedWords.close();
        pairsOfWords.close();
        transpose.close();
        softmax.close();
        activations.values().forEach(MachineCall::close);
        norms.values().forEach(MachineCall::close);
        heads.values().forEach(MachineCall::close);
    }
}
