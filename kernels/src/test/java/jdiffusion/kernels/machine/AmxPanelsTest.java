package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxPanels.BLOCK_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.HALF_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;
import static jdiffusion.kernels.machine.AmxPanels.STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.SUMS_ROW_BYTES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.cpu.MathReference;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** In the interpreter, and on the CPU too, with the same bits: all that has no tiles, and tiles where it has them. */
class AmxPanelsTest {
    private static final float GAP = 12345f;

    private final SplittableRandom random = new SplittableRandom(7);

    private static AmxPanels panels() {
        return new AmxPanels(BothWays::of);
    }

    private float[] wholes(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = random.nextInt(-8, 9);
        }
        return values;
    }

    private float[] normals(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static MemorySegment bf16(float[] values) {
        short[] stored = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            stored[i] = FloatFormat.floatToBf16(values[i]);
        }
        return MemorySegment.ofArray(stored);
    }

    /** Right rows [32 * blocks][stride], of which the first 32 * steps numbers are packed, {@code at} bytes behind. */
    private static MemorySegment packed(AmxPanels panels, float[] right, int stride, int blocks, int steps, int at) {
        MemorySegment panel = MemorySegment.ofArray(new byte[at + blocks * steps * STEP_BYTES]);
        for (int row = 0; row < blocks * SIDE; row += PACKED_ROWS) {
            panels.packColumns(bf16(right), 2L * row * stride, 2L * stride, steps, panel,
                    at + (long) row / SIDE * steps * STEP_BYTES + row % SIDE / PACKED_ROWS * HALF_STEP_BYTES);
        }
        return panel;
    }

    /** Whole numbers have exact sums, in any order: every place of every operand is where it should be. */
    @ParameterizedTest
    @EnumSource
    void packedMultipliedAndFinishedIsTheProduct(Beside beside) {
        Ahead ahead = new Ahead();
        MemorySegment memory = Arena.ofAuto().allocate(256);
        ahead.toRead(memory, 0, 64);
        ahead.toWrite(memory, 64, 128);
        try (AmxPanels panels = panels()) {
            for (int[] size : new int[][] {{1, 1}, {1, 3}, {3, 2}}) {
                int blocks = size[0];
                int steps = size[1];
                int k = steps * DEPTH;
                int stride = k + 7;
                int n = blocks * SIDE;
                float[] left = wholes(5 + SIDE * stride);
                float[] right = wholes(n * stride);
                float[] bias = wholes(n);
                MemorySegment panel = packed(panels, right, stride, blocks, steps, 8);
                float[] sums = new float[2 + blocks * BLOCK_BYTES / 4];
                Arrays.fill(sums, GAP);
                for (int round = 1; round <= 2; round++) {
                    panels.multiply(round == 1, Parts.ONE, bf16(left), 2 * 5, 2 * stride, steps, panel, 8, blocks,
                            MemorySegment.ofArray(sums), 8, beside, ahead);
                    float[] out = new float[SIDE * (n + 3) + 1];
                    Arrays.fill(out, GAP);
                    panels.finish(Into.STORE, Activation.NONE, MemorySegment.ofArray(sums), 8, SIDE, blocks,
                            MemorySegment.ofArray(bias), 0, MemorySegment.ofArray(out), 4, 4L * (n + 3));
                    for (int i = 0; i < SIDE; i++) {
                        for (int j = 0; j < n; j++) {
                            float expected = bias[j];
                            for (int p = 0; p < k; p++) {
                                expected += round * left[5 + i * stride + p] * right[j * stride + p];
                            }
                            assertThat(out[1 + i * (n + 3) + j]).as("row %s, column %s", i, j).isEqualTo(expected);
                        }
                        int behind = 1 + i * (n + 3) + n;
                        assertThat(Arrays.copyOfRange(out, behind, Math.min(behind + 3, out.length)))
                                .doesNotContain(0f).containsOnly(GAP);
                    }
                }
                assertThat(sums[1]).isEqualTo(GAP);
            }
        }
    }

    /** A block does not depend on those beside it, nor its sums on being interrupted. */
    @Test
    void blocksAreOnTheirOwn() {
        try (AmxPanels panels = panels()) {
            int steps = 2;
            int k = steps * DEPTH;
            MemorySegment left = bf16(normals(SIDE * k));
            float[] right = normals(2 * SIDE * k);
            MemorySegment together = MemorySegment.ofArray(new int[2 * BLOCK_BYTES / 4]);
            MemorySegment apart = MemorySegment.ofArray(new int[2 * BLOCK_BYTES / 4]);
            MemorySegment panel = packed(panels, right, k, 2, steps, 0);
            panels.multiply(true, Parts.ONE, left, 0, 2 * k, steps, panel, 0, 2, together, 0, Beside.NOTHING,
                    new Ahead());
            for (int b = 0; b < 2; b++) {
                for (int s = 0; s < steps; s++) {
                    panels.multiply(s == 0, Parts.ONE, left, 2L * s * DEPTH, 2 * k, 1, panel,
                            (long) (b * steps + s) * STEP_BYTES, 1, apart, (long) b * BLOCK_BYTES, Beside.NOTHING,
                            new Ahead());
                }
            }
            assertThat(apart.toArray(ValueLayout.JAVA_INT)).isEqualTo(together.toArray(ValueLayout.JAVA_INT))
                    .doesNotContain(0);
        }
    }

    /** Rows of a factor as a panel's rows, which attention's values are. */
    @Test
    void rowsArePackedInPairs() {
        try (AmxPanels panels = panels()) {
            int blocks = 2;
            int stride = blocks * SIDE + 5;
            int apart = 3 * STEP_BYTES;
            float[] rows = wholes(3 + DEPTH * stride);
            short[] packed = new short[4 + (apart + STEP_BYTES) / 2];
            panels.packRows(bf16(rows), 6, 2 * stride, blocks, MemorySegment.ofArray(packed), 8, apart);
            for (int k = 0; k < DEPTH; k++) {
                for (int j = 0; j < blocks * SIDE; j++) {
                    int at = 4 + (j / SIDE * apart + j % SIDE / 16 * HALF_STEP_BYTES) / 2 + k / 2 * 32 + j % 16 * 2
                            + k % 2;
                    assertThat(FloatFormat.bf16ToFloat(packed[at])).isEqualTo(rows[3 + k * stride + j]);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsMeetWhatIsThere(Into into) {
        try (AmxPanels panels = panels()) {
            int blocks = 2;
            int n = blocks * SIDE;
            int first = 3;
            int rows = 5;
            float[] sums = normals(blocks * BLOCK_BYTES / 4);
            float[] vectors = normals(2 * n + 1);
            float[] old = normals(1 + rows * n);
            float[] out = old.clone();
            panels.finish(into, Activation.NONE, MemorySegment.ofArray(sums), (long) first * SUMS_ROW_BYTES, rows,
                    blocks, MemorySegment.ofArray(vectors), 4L * (n + 1), MemorySegment.ofArray(out), 4,
                    into == Into.ROUND ? 2L * n : 4L * n);
            assertThat(out[0]).isEqualTo(old[0]);
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < n; j++) {
                    float y = sums[j / SIDE * 1024 + j % SIDE / 16 * 512 + (first + i) * 16 + j % 16] + vectors[j];
                    int at = 1 + i * n + j;
                    float gate = vectors[n + 1 + j];
                    if (into == Into.ROUND) {
                        int word = Float.floatToRawIntBits(out[1 + (i * n + j) / 2]);
                        assertThat((short) (word >>> j % 2 * 16)).isEqualTo(FloatFormat.floatToBf16(y));
                        continue;
                    }
                    float expected = switch (into) {
                        case STORE, ROUND -> y;
                        case ADD -> old[at] + y;
                        case GATED_ADD -> old[at] + gate * y;
                        case MULTIPLY -> old[at] * y;
                    };
                    assertThat(out[at]).as("row %s, column %s", i, j).isEqualTo(expected);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SILU", "GELU_TANH", "QUICK_GELU", "RELU"})
    void rowsAreActivated(Activation activation) {
        try (AmxPanels panels = panels()) {
            float[] sums = new float[BLOCK_BYTES / 4];
            for (int i = 0; i < sums.length; i++) {
                sums[i] = (i - sums.length / 2) / 25f;
            }
            float[] special = {0, -0f, 1e-30f, -1e-30f, 1e30f, -1e30f, -200, Float.MAX_VALUE, -Float.MAX_VALUE,
                Float.POSITIVE_INFINITY, Float.NaN};
            System.arraycopy(special, 0, sums, 0, special.length);
            float[] out = new float[SIDE * SIDE];
            panels.finish(Into.STORE, activation, MemorySegment.ofArray(sums), 0, SIDE, 1,
                    MemorySegment.ofArray(new float[SIDE]), 0, MemorySegment.ofArray(out), 0, 4 * SIDE);
            assertThat(AmxPanels.activates(activation)).isTrue();
            for (int i = 0; i < out.length; i++) {
                float x = sums[i % SIDE / 16 * 512 + i / SIDE * 16 + i % 16];
                double expected = MathReference.activate(activation, x);
                if (Double.isNaN(expected) || Math.abs(expected) > Float.MAX_VALUE) {
                    assertThat(out[i]).isEqualTo(Float.valueOf((float) expected));
                } else {
                    assertThat((double) out[i]).as("%s of %s", activation, x)
                            .isCloseTo(expected, within(Math.abs(expected) * 2e-6 + 1e-14));
                }
            }
        }
    }

    /** Code with tiles is not even loaded before Linux was asked whether it lets this process use them. */
    @Test
    void withoutTilesThereIsNoCodeForThem() {
        String obstacle = CpuLevel.AMX.obstacle();
        assumeTrue(obstacle != null, "this CPU has tiles");
        for (Runnable make : new Runnable[] {AmxPanels::new, TilePeak::new}) {
            assertThatThrownBy(make::run).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(obstacle);
        }
    }

    @Test
    void nothingOutsideTheSegmentsIsTouched() {
        try (AmxPanels p = panels()) {
            MemorySegment left = MemorySegment.ofArray(new short[SIDE * DEPTH]);
            MemorySegment panel = MemorySegment.ofArray(new byte[STEP_BYTES]);
            MemorySegment sums = MemorySegment.ofArray(new byte[BLOCK_BYTES]);
            Ahead a = new Ahead();
            long stride = 2 * DEPTH;
            p.packColumns(left, 0, stride, 1, panel, HALF_STEP_BYTES);
            refuse(() -> p.packColumns(left, 0, stride * 3, 1, panel, 0));
            refuse(() -> p.packColumns(left, stride * 16 + 2, stride, 1, panel, 0));
            refuse(() -> p.packColumns(left, 0, stride, 1, panel, HALF_STEP_BYTES + 1));
            refuse(() -> p.packColumns(left, 0, stride, 2, panel, 0));
            p.packRows(left, 0, stride, 1, panel, 0, 0);
            refuse(() -> p.packRows(left, 2, stride, 1, panel, 0, 0));
            refuse(() -> p.packRows(left, 0, stride, 1, panel, 1, 0));
            refuse(() -> p.packRows(left, 0, 0, 2, panel, 0, 1));
            multiply(p, left, 0, stride, 1, panel, 0, 1, sums, 0, a);
            refuse(() -> multiply(p, left, 2, stride, 1, panel, 0, 1, sums, 0, a));
            refuse(() -> multiply(p, left, -2, stride, 1, panel, 0, 1, sums, 0, a));
            refuse(() -> multiply(p, left, 0, stride + 2, 1, panel, 0, 1, sums, 0, a));
            refuse(() -> multiply(p, left, 0, 0, 2, panel, 0, 1, sums, 0, a));
            refuse(() -> multiply(p, left, 0, stride, 1, panel, 1, 1, sums, 0, a));
            refuse(() -> multiply(p, left, 0, stride, 1, panel, 0, 2, sums, 0, a));
            refuse(() -> multiply(p, left, 0, stride, 1, panel, 0, 1, sums, 4, a));
            assertThatThrownBy(() -> multiply(p, left, 0, Long.MAX_VALUE, 1, panel, 0, 1, sums, 0, a))
                    .isInstanceOf(ArithmeticException.class);
            assertThatThrownBy(() -> multiply(p, left, 0, -2, 1, panel, 0, 1, sums, 0, a))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("-2 apart");
            assertThatThrownBy(() -> multiply(p, left, 0, 0, 0, panel, 0, 1, sums, 0, a))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("0 steps");
            assertThatThrownBy(() -> multiply(p, left, 0, 0, 1, panel, 0, AmxPanels.MOST + 1, sums, 0, a))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("blocks");
        }
    }

    private static void multiply(AmxPanels p, MemorySegment left, long offset, long stride, int steps,
                                 MemorySegment panel, long panelAt, int blocks, MemorySegment sums, long sumsAt,
                                 Ahead ahead) {
        p.multiply(true, Parts.ONE, left, offset, stride, steps, panel, panelAt, blocks, sums, sumsAt, Beside.NOTHING,
                ahead);
    }

    @Test
    void rowsOutsideTheOutputAreNotWritten() {
        try (AmxPanels p = panels()) {
            MemorySegment sums = MemorySegment.ofArray(new byte[BLOCK_BYTES]);
            MemorySegment vectors = MemorySegment.ofArray(new float[SIDE]);
            MemorySegment out = MemorySegment.ofArray(new float[SIDE * SIDE]);
            long row = 4 * SIDE;
            finish(p, Into.STORE, sums, 0, SIDE, 1, vectors, out, 0, row);
            refuse(() -> finish(p, Into.STORE, sums, SUMS_ROW_BYTES, SIDE, 1, vectors, out, 0, row));
            refuse(() -> finish(p, Into.STORE, sums, 0, SIDE, 2, vectors, out, 0, 0));
            refuse(() -> finish(p, Into.STORE, sums, 0, SIDE, 1, vectors, out, 4, row));
            refuse(() -> finish(p, Into.STORE, sums, 0, SIDE, 1, vectors, out, 0, row + 4));
            refuse(() -> finish(p, Into.GATED_ADD, sums, 0, SIDE, 1, vectors, out, 0, row));
            refuse(() -> finish(p, Into.STORE, sums, 0, SIDE, 1, vectors.asSlice(4), out, 0, row));
            assertThatThrownBy(() -> finish(p, Into.STORE, sums, 0, SIDE, 1, vectors, out.asReadOnly(), 0, row))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("read-only");
        }
    }

    private static void finish(AmxPanels p, Into into, MemorySegment sums, long at, int rows, int blocks,
                               MemorySegment vectors, MemorySegment out, long offset, long stride) {
        p.finish(into, Activation.NONE, sums, at, rows, blocks, vectors, 4, out, offset, stride);
    }

    private static void refuse(Runnable call) {
        assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
