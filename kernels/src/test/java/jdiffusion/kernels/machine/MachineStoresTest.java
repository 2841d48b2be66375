package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.cpu.MathReference;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MachineStoresTest {
    private static final int ROWS = 7;
    private static final float GAP = 12345f;

    private final SplittableRandom random = new SplittableRandom(8);

    private float[] normals(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static MachineStores bothWays(int columns) {
        return new MachineStores(columns, true, body -> new BothWays(CpuLevel.AVX512BF16, body));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "ROUND")
    void rowsMeetWhatIsThere(Into into) {
        for (int columns : new int[] {16, 64, 128}) {
            int apart = columns + 5;
            try (MachineStores stores = bothWays(columns)) {
                float[] sums = normals(3 + ROWS * columns);
                float[] gate = normals(1 + columns);
                float[] out = normals(2 + ROWS * apart);
                float[] expected = out.clone();
                for (int i = 0; i < ROWS * columns; i++) {
                    int at = 2 + i / columns * apart + i % columns;
                    float y = sums[3 + i];
                    expected[at] = switch (into) {
                        case STORE, ROUND -> y;
                        case ADD -> expected[at] + y;
                        case GATED_ADD -> expected[at] + gate[1 + i % columns] * y;
                        case MULTIPLY -> expected[at] * y;
                    };
                }
                MemorySegment gates = into == Into.GATED_ADD ? MemorySegment.ofArray(gate) : null;
                stores.store(into, Activation.NONE, sums, 3, ROWS, gates, 4, MemorySegment.ofArray(out), 8, 4L * apart);
                assertThat(out).as("%s columns", columns).isEqualTo(expected);
                stores.store(into, Activation.NONE, sums, 3, 0, gates, 4, MemorySegment.ofArray(out), 8, 4L * apart);
                assertThat(out).isEqualTo(expected);
            }
        }
    }

    /** To nearest, ties to even; what is between the rows stays. */
    @Test
    void rowsAreRounded() {
        for (int columns : new int[] {32, 64, 128}) {
            float[] sums = normals(3 + ROWS * columns);
            sums[3] = Float.intBitsToFloat(0x3f808000);
            sums[4] = Float.intBitsToFloat(0x3f818000);
            sums[5] = Float.NEGATIVE_INFINITY;
            int apart = columns + 6;
            short[] out = new short[2 + ROWS * apart];
            Arrays.fill(out, (short) 77);
            short[] expected = out.clone();
            for (int i = 0; i < ROWS * columns; i++) {
                expected[2 + i / columns * apart + i % columns] = FloatFormat.floatToBf16(sums[3 + i]);
            }
            try (MachineStores stores = bothWays(columns)) {
                assertThat(stores.rounds()).isTrue();
                stores.store(Into.ROUND, Activation.NONE, sums, 3, ROWS, null, 0, MemorySegment.ofArray(out), 4,
                        2L * apart);
                assertThat(out).isEqualTo(expected);
                assertThatThrownBy(() -> stores.store(Into.ROUND, Activation.NONE, sums, 3, ROWS, null, 0,
                        MemorySegment.ofArray(out), 4 + 2 * 7, 2L * apart))
                        .isInstanceOf(IndexOutOfBoundsException.class);
            }
        }
        try (MachineStores narrow = bothWays(16)) {
            assertThat(narrow.rounds()).isFalse();
            assertThatThrownBy(() -> narrow.store(Into.ROUND, Activation.NONE, new float[16], 0, 1, null, 0,
                    MemorySegment.ofArray(new short[16]), 0, 32)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SILU", "GELU_TANH", "QUICK_GELU", "RELU"})
    void sumsAreActivatedFirst(Activation activation) {
        int columns = 64;
        float[] sums = new float[ROWS * columns];
        for (int i = 0; i < sums.length; i++) {
            sums[i] = (i - sums.length / 2) / 9f;
        }
        float[] gate = normals(columns);
        float[] old = normals(sums.length);
        float[] out = old.clone();
        try (MachineStores stores = bothWays(columns)) {
            assertThat(MachineStores.activates(activation)).isTrue();
            stores.store(Into.GATED_ADD, activation, sums, 0, ROWS, MemorySegment.ofArray(gate), 0,
                    MemorySegment.ofArray(out), 0, 4 * columns);
        }
        for (int i = 0; i < out.length; i++) {
            double y = gate[i % columns] * MathReference.activate(activation, sums[i]);
            assertThat((double) out[i]).as("%s of %s", activation, sums[i])
                    .isCloseTo(old[i] + y, within(Math.abs(y) * 3e-6 + Math.abs(old[i]) * 1e-7 + 1e-7));
        }
    }

    @Test
    void nothingOutsideIsTouched() {
        try (MachineStores stores = bothWays(16)) {
            float[] sums = new float[2 * 16];
            float[] out = new float[16 + 16 + 4];
            Arrays.fill(out, GAP);
            MemorySegment to = MemorySegment.ofArray(out);
            MemorySegment gate = MemorySegment.ofArray(new float[16]);
            stores.store(Into.STORE, Activation.NONE, sums, 0, 2, null, 0, to, 0, 4 * 20);
            for (int i = 0; i < out.length; i++) {
                assertThat(out[i]).isEqualTo(i >= 16 && i < 20 ? GAP : 0);
            }
            refuse(() -> stores.store(Into.STORE, Activation.NONE, sums, 1, 2, null, 0, to, 0, 4 * 20));
            refuse(() -> stores.store(Into.STORE, Activation.NONE, sums, -1, 1, null, 0, to, 0, 4 * 20));
            refuse(() -> stores.store(Into.STORE, Activation.NONE, sums, 0, 3, null, 0, to, 0, 0));
            refuse(() -> stores.store(Into.STORE, Activation.NONE, sums, 0, 2, null, 0, to, 4, 4 * 20));
            refuse(() -> stores.store(Into.STORE, Activation.NONE, sums, 0, 2, null, 0, to, -4, 4 * 20));
            refuse(() -> stores.store(Into.STORE, Activation.NONE, sums, 0, 2, null, 0, to, 0, 4 * 21));
            refuse(() -> stores.store(Into.GATED_ADD, Activation.NONE, sums, 0, 1, gate, 4, to, 0, 4 * 20));
            assertThatThrownBy(() -> stores.store(Into.GATED_ADD, Activation.NONE, sums, 0, 1, null, 0, to, 0, 80))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> stores.store(Into.ADD, Activation.NONE, sums, 0, 1, gate, 0, to, 0, 80))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> stores.store(Into.STORE, Activation.NONE, sums, 0, 1, null, 0, to, 0, -80))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> stores.store(Into.STORE, Activation.NONE, sums, 0, 1, null, 0, to.asReadOnly(), 0,
                    80)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("read-only");
        }
        for (int columns : new int[] {0, 8, 24, 144}) {
            assertThat(MachineStores.takes(columns)).isFalse();
            assertThatThrownBy(() -> bothWays(columns)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    private static void refuse(Runnable call) {
        assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
