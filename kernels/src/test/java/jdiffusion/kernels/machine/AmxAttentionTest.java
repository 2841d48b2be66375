package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxAttention.KEYS;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.HALF_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;
import static jdiffusion.kernels.machine.AmxPanels.STEP_BYTES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A block of queries against the definition; in the interpreter, and where the CPU has tiles on it, the same bits. */
class AmxAttentionTest {
    private static final int CHANNELS = 64;
    private static final float SCALE = 0.125f;

    private final SplittableRandom random = new SplittableRandom(5);

    private float[] bf16(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16((float) random.nextGaussian()));
        }
        return values;
    }

    private static MemorySegment stored(float[] values) {
        short[] halves = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            halves[i] = FloatFormat.floatToBf16(values[i]);
        }
        return MemorySegment.ofArray(halves);
    }

    /** Chunks of KEYS keys and a last one of what is left, each its keys and then its values. */
    private static MemorySegment packed(AmxPanels panels, float[] k, float[] v, int keys) {
        MemorySegment to = Arena.ofAuto().allocate(AmxAttention.packedBytes(keys, CHANNELS), 64);
        long row = 2L * CHANNELS;
        int steps = CHANNELS / DEPTH;
        for (int from = 0; from < keys; from += KEYS) {
            int count = Math.min(KEYS, keys - from);
            long at = AmxAttention.packedBytes(from, CHANNELS);
            for (int key = 0; key < count; key += PACKED_ROWS) {
                panels.packColumns(stored(k), (from + key) * row, row, steps, to,
                        at + (long) key / SIDE * steps * STEP_BYTES + key % SIDE / PACKED_ROWS * HALF_STEP_BYTES);
            }
            for (int step = 0; step < count / DEPTH; step++) {
                panels.packRows(stored(v), (from + step * DEPTH) * row, row, steps, to,
                        at + AmxAttention.packedBytes(count, CHANNELS) / 2 + (long) step * STEP_BYTES,
                        (long) count / DEPTH * STEP_BYTES);
            }
        }
        return to;
    }

    @ParameterizedTest
    @CsvSource({"32, 0, false", "32, 31, true", "256, 0, false", "288, 5, true", "544, 0, true", "768, 17, false"})
    void isTheDefinition(int keys, int missing, boolean biased) {
        float[] q = bf16(SIDE * CHANNELS);
        float[] k = bf16(keys * CHANNELS);
        float[] v = bf16(keys * CHANNELS);
        float[] bias = bf16(keys + SIDE);
        float[] rounded = new float[SIDE * CHANNELS / 2];
        float[] out = new float[SIDE * CHANNELS];
        try (AmxPanels panels = new AmxPanels(BothWays::of)) {
            AmxAttention code = panels.attention();
            MemorySegment block = Arena.ofAuto().allocate(AmxAttention.size(CHANNELS, bias.length), 64);
            MemorySegment.copy(stored(q), 0, block, AmxAttention.queriesAt(), 2L * q.length);
            MemorySegment.copy(bias, 0, block, ValueLayout.JAVA_FLOAT, AmxAttention.biasAt(CHANNELS), bias.length);
            MemorySegment packed = packed(panels, k, v, keys);
            code.reset(block, CHANNELS);
            int whole = (keys - missing) / KEYS;
            int first = SIDE - 1;
            if (whole > 0) {
                code.attend(block, CHANNELS, packed, 0, whole, SCALE, biased ? first : -1);
            }
            if (whole * KEYS < keys) {
                code.attendLast(block, CHANNELS, packed, AmxAttention.packedBytes(whole * KEYS, CHANNELS),
                        keys - whole * KEYS, missing, SCALE, biased ? first + whole * KEYS : -1);
            }
            code.divide(false, block, CHANNELS, 0, 20, MemorySegment.ofArray(out), 0, 4 * CHANNELS);
            code.divide(false, block, CHANNELS, 20, 12, MemorySegment.ofArray(out), 80 * CHANNELS, 4 * CHANNELS);
            code.divide(true, block, CHANNELS, 0, SIDE, MemorySegment.ofArray(rounded), 0, 2 * CHANNELS);
        }
        for (int i = 0; i < SIDE; i++) {
            double[] sums = new double[CHANNELS];
            double total = 0;
            for (int j = 0; j < keys - missing; j++) {
                double score = biased ? bias[SIDE - 1 + j - i] : 0;
                for (int c = 0; c < CHANNELS; c++) {
                    score += (double) q[i * CHANNELS + c] * k[j * CHANNELS + c];
                }
                double power = Math.exp(SCALE * score);
                total += power;
                for (int c = 0; c < CHANNELS; c++) {
                    sums[c] += power * v[j * CHANNELS + c];
                }
            }
            for (int c = 0; c < CHANNELS; c++) {
                float y = out[i * CHANNELS + c];
                // Powers are rounded to eight bits.
                assertThat((double) y).as("query %s, channel %s", i, c).isCloseTo(sums[c] / total, within(0x1p-7));
                int word = Float.floatToRawIntBits(rounded[(i * CHANNELS + c) / 2]);
                assertThat((short) (word >>> c % 2 * 16)).isEqualTo(FloatFormat.floatToBf16(y));
            }
        }
    }

    /** A chunk that has no key for a query, as a mask makes it, changes nothing for it. */
    @Test
    void whatIsMaskedCountsNothing() {
        float[] q = bf16(SIDE * CHANNELS);
        float[] k = bf16(KEYS * CHANNELS);
        try (AmxPanels panels = new AmxPanels(InterpretedFunction::new)) {
            AmxAttention code = panels.attention();
            MemorySegment block = Arena.ofAuto().allocate(AmxAttention.size(CHANNELS, 2 * KEYS), 64);
            MemorySegment.copy(stored(q), 0, block, AmxAttention.queriesAt(), 2L * q.length);
            float[] bias = new float[2 * KEYS];
            MemorySegment packed = packed(panels, k, k, KEYS);
            float[] once = new float[SIDE * CHANNELS];
            float[] after = new float[SIDE * CHANNELS];
            code.reset(block, CHANNELS);
            for (float[] out : new float[][] {once, after}) {
                MemorySegment.copy(bias, 0, block, ValueLayout.JAVA_FLOAT, AmxAttention.biasAt(CHANNELS), bias.length);
                code.attend(block, CHANNELS, packed, 0, 1, SCALE, SIDE);
                code.divide(false, block, CHANNELS, 0, SIDE, MemorySegment.ofArray(out), 0, 4 * CHANNELS);
                Arrays.fill(bias, AmxAttention.MASKED);
            }
            assertThat(after).isEqualTo(once).doesNotContain(0f);
        }
    }

    /** Scores that are all minus infinity leave zeros, as the other ways of attention do. */
    @Test
    void noScoreAtAllGivesZeros() {
        try (AmxPanels panels = new AmxPanels(InterpretedFunction::new)) {
            AmxAttention code = panels.attention();
            MemorySegment block = Arena.ofAuto().allocate(AmxAttention.size(CHANNELS, 2 * KEYS), 64);
            float[] bias = new float[2 * KEYS];
            Arrays.fill(bias, Float.NEGATIVE_INFINITY);
            MemorySegment.copy(bias, 0, block, ValueLayout.JAVA_FLOAT, AmxAttention.biasAt(CHANNELS), bias.length);
            float[] k = bf16(SIDE * CHANNELS);
            float[] out = new float[SIDE * CHANNELS];
            code.reset(block, CHANNELS);
            code.attendLast(block, CHANNELS, packed(panels, k, k, SIDE), 0, SIDE, 0, SCALE, SIDE);
            code.divide(false, block, CHANNELS, 0, SIDE, MemorySegment.ofArray(out), 0, 4 * CHANNELS);
            assertThat(out).containsOnly(0f);
        }
    }

    @Test
    void nothingOutsideTheSegmentsIsTouched() {
        try (AmxPanels panels = new AmxPanels(InterpretedFunction::new)) {
            AmxAttention code = panels.attention();
            MemorySegment block = MemorySegment.ofArray(new byte[(int) AmxAttention.size(CHANNELS, SIDE + KEYS)]);
            MemorySegment packed = MemorySegment.ofArray(new byte[(int) AmxAttention.packedBytes(KEYS, CHANNELS)]);
            MemorySegment out = MemorySegment.ofArray(new float[SIDE * CHANNELS]);
            refuse(() -> code.attend(block, CHANNELS, packed, 0, 2, SCALE, -1));
            refuse(() -> code.attend(block, CHANNELS, packed, 1, 1, SCALE, -1));
            refuse(() -> code.attend(block, 2 * CHANNELS, packed, 0, 1, SCALE, -1));
            refuse(() -> code.attend(block, CHANNELS, packed, 0, 1, SCALE, SIDE + 1));
            refuse(() -> code.attend(block, CHANNELS, packed, 0, 1, SCALE, SIDE - 2));
            refuse(() -> code.divide(false, block, CHANNELS, 1, SIDE, out, 0, 4 * CHANNELS));
            refuse(() -> code.divide(false, block, CHANNELS, 0, SIDE, out, 4, 4 * CHANNELS));
            assertThatThrownBy(() -> code.attend(block, 40, packed, 0, 1, SCALE, -1))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("40 channels");
            assertThatThrownBy(() -> code.attend(block, CHANNELS, packed, 0, 1, 64, -1))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("scale");
            assertThatThrownBy(() -> code.attend(block, CHANNELS, packed, 0, 17, SCALE, -1))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("17 chunks");
            assertThatThrownBy(() -> code.attendLast(block, CHANNELS, packed, 0, 48, 0, SCALE, -1))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("48 keys");
        }
    }

    private static void refuse(Runnable call) {
        assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
