package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxPanels.BLOCK_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.HALF_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers in parts, in the interpreter, and on the CPU too, with the same bits, where it has the instructions. */
class PartsTest {
    private final SplittableRandom random = new SplittableRandom(5);

    /** All products of parts that count, each once, and one factor of each is that of the one before. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "2, 1, 2", "2, 2, 3", "3, 1, 3", "3, 2, 5", "3, 3, 6"})
    void termsAreThoseThatCount(int left, int right, int count) {
        List<Parts.Term> terms = new Parts(left, right).terms();
        Set<Parts.Term> expected = new HashSet<>();
        for (int i = 0; i < left; i++) {
            for (int j = 0; j < right && i + j < left; j++) {
                expected.add(new Parts.Term(i, j));
            }
        }
        assertThat(terms).hasSize(count).containsExactlyInAnyOrderElementsOf(expected);
        for (int i = 1; i < terms.size(); i++) {
            assertThat(terms.get(i).left() == terms.get(i - 1).left()
                    || terms.get(i).right() == terms.get(i - 1).right()).isTrue();
        }
    }

    @Test
    void numbersHaveNoMorePartsThanBits() {
        assertThat(Parts.of(3, 24)).isEqualTo(new Parts(3, 3));
        assertThat(Parts.of(3, 11)).isEqualTo(new Parts(3, 2));
        assertThat(Parts.of(3, 8)).isEqualTo(new Parts(3, 1));
        assertThat(Parts.of(2, 24)).isEqualTo(new Parts(2, 2));
        assertThat(Parts.of(1, 24)).isEqualTo(Parts.ONE);
        for (int[] wrong : new int[][] {{0, 1}, {4, 1}, {2, 3}, {2, 0}}) {
            assertThatThrownBy(() -> new Parts(wrong[0], wrong[1])).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(wrong[0] + " parts of left numbers");
        }
    }

    /** The rest of a number is rounded again and again; three parts of a float32 are all of it. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void rowsAreSplit(int parts) {
        int steps = 2;
        int stride = steps * DEPTH + 5;
        int rows = 3;
        float[] values = new float[3 + rows * stride];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(-60, 60)));
        }
        float[] special = {0, -0f, 1, -1, 1 + 0x1p-8f, 1 + 0x1.8p-7f, 0x1.fffffep0f, Float.MIN_NORMAL, Float.MIN_VALUE};
        System.arraycopy(special, 0, values, 3, special.length);
        int apart = parts * steps * DEPTH + 3;
        short[] split = new short[1 + rows * apart];
        try (AmxPanels panels = new AmxPanels(BothWays::of)) {
            panels.split(parts, MemorySegment.ofArray(values), 12, 4L * stride, rows, steps,
                    MemorySegment.ofArray(split), 2, 2L * apart);
        }
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < steps * DEPTH; i++) {
                float value = values[3 + r * stride + i];
                float rest = value;
                double sum = 0;
                for (int p = 0; p < parts; p++) {
                    short got = split[1 + r * apart + (i / DEPTH * parts + p) * DEPTH + i % DEPTH];
                    assertThat(got).as("part %s of %s", p, value).isEqualTo((short) Bf16.rounded(rest));
                    rest -= FloatFormat.bf16ToFloat(got);
                    sum += FloatFormat.bf16ToFloat(got);
                }
                double lost = parts == 3 ? 0x1p-25 : parts == 2 ? 0x1p-17 : 0x1p-8;
                assertThat(Math.abs(sum - value)).isLessThanOrEqualTo(Math.abs(value) * lost + Float.MIN_NORMAL);
            }
            for (int i = parts * steps * DEPTH; i < apart && 1 + r * apart + i < split.length; i++) {
                assertThat(split[1 + r * apart + i]).as("behind a row").isZero();
            }
        }
    }

    /** Parts that are whole numbers have exact sums, in any order: each term is there once, with its own operands. */
    @ParameterizedTest
    @CsvSource({"2, 1", "2, 2", "3, 1", "3, 2", "3, 3"})
    void sumsAreOfAllTerms(int left, int right) {
        Parts parts = new Parts(left, right);
        int blocks = 2;
        int steps = 3;
        int leftNumbers = left * steps * DEPTH;
        int rightNumbers = right * steps * DEPTH;
        try (AmxPanels panels = new AmxPanels(BothWays::of); Arena arena = Arena.ofConfined()) {
            short[] rows = wholes(SIDE * leftNumbers);
            short[] columns = wholes(blocks * SIDE * rightNumbers);
            MemorySegment panel = arena.allocate((long) blocks * steps * parts.stepBytes(), 64);
            for (int half = 0; half < 2 * blocks; half++) {
                panels.packColumns(MemorySegment.ofArray(columns), 2L * half * PACKED_ROWS * rightNumbers,
                        2L * rightNumbers, steps * right, panel,
                        (long) half / 2 * steps * parts.stepBytes() + half % 2 * HALF_STEP_BYTES);
            }
            float[] sums = new float[blocks * BLOCK_BYTES / 4];
            for (Beside beside : Beside.values()) {
                panels.multiply(beside.ordinal() == 0, parts, MemorySegment.ofArray(rows), 0, 2L * leftNumbers, steps,
                        panel, 0, blocks, MemorySegment.ofArray(sums), 0, beside, new Ahead());
            }
            for (int i = 0; i < SIDE; i++) {
                for (int j = 0; j < blocks * SIDE; j++) {
                    float expected = 0;
                    for (int k = 0; k < steps * DEPTH; k++) {
                        for (Parts.Term term : parts.terms()) {
                            expected += number(rows, i * leftNumbers, k, left, term.left())
                                    * number(columns, j * rightNumbers, k, right, term.right());
                        }
                    }
                    int at = j / SIDE * 1024 + j % SIDE / 16 * 512 + i * 16 + j % 16;
                    assertThat(sums[at]).as("row %s, column %s", i, j).isEqualTo(expected * Beside.values().length);
                }
            }
        }
    }

    private static float number(short[] rows, int row, int k, int parts, int part) {
        return FloatFormat.bf16ToFloat(rows[row + (k / DEPTH * parts + part) * DEPTH + k % DEPTH]);
    }

    private short[] wholes(int n) {
        short[] values = new short[n];
        for (int i = 0; i < n; i++) {
            values[i] = FloatFormat.floatToBf16(random.nextInt(-8, 9));
        }
        return values;
    }

    /** Two operands of each kind for the first term, and two for each further one. */
    @ParameterizedTest
    @CsvSource({"1, 1, 4", "2, 1, 6", "2, 2, 8", "3, 1, 8", "3, 2, 12", "3, 3, 14"})
    void operandsAreLoadedOnceWhereTheyCan(int left, int right, int loads) {
        Parts parts = new Parts(left, right);
        TileCount count = new TileCount();
        int steps = 2;
        try (AmxPanels panels = Levels.interpretedTiles(count); Arena arena = Arena.ofConfined()) {
            MemorySegment rows = arena.allocate((long) SIDE * steps * parts.rowStepBytes(), 64);
            MemorySegment panel = arena.allocate((long) steps * parts.stepBytes(), 64);
            panels.multiply(true, parts, rows, 0, (long) steps * parts.rowStepBytes(), steps, panel, 0, 1,
                    arena.allocate(BLOCK_BYTES, 64), 0, Beside.NOTHING, new Ahead());
        }
        assertThat(count.loads()).isEqualTo((long) steps * loads);
        assertThat(count.products()).isEqualTo(4L * steps * parts.terms().size());
    }

    /** What whole pictures are drawn with where there is no AMX computes what the code does, to the bit. */
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 1", "2, 2", "3, 1", "3, 2", "3, 3"})
    void theTwinInJavaGivesTheSameBits(int left, int right) {
        Parts parts = new Parts(left, right);
        int blocks = 2;
        int steps = 3;
        short[] rows = normals(SIDE * left * steps * DEPTH);
        short[] panel = normals(blocks * steps * parts.stepBytes() / 2);
        float[][] sums = new float[2][2 * blocks * BLOCK_BYTES / 4];
        try (AmxPanels interpreted = new AmxPanels(BothWays::of); AmxPanels twin = TwinProduct.panels()) {
            for (int way = 0; way < 2; way++) {
                for (Beside beside : new Beside[] {Beside.NOTHING, Beside.ROWS, Beside.FLOATS}) {
                    (way == 0 ? interpreted : twin).multiply(beside == Beside.NOTHING, parts,
                            MemorySegment.ofArray(rows), 0, (long) steps * parts.rowStepBytes(), steps,
                            MemorySegment.ofArray(panel), 0, blocks, MemorySegment.ofArray(sums[way]), 8, beside,
                            new Ahead());
                }
            }
        }
        assertThat(sums[1]).isEqualTo(sums[0]).doesNotContain(Float.NaN);
        assertThat(sums[0][2]).isNotZero();
    }

    private short[] normals(int n) {
        short[] values = new short[n];
        for (int i = 0; i < n; i++) {
            values[i] = FloatFormat.floatToBf16((float) random.nextGaussian());
        }
        return values;
    }

    @Test
    void nothingOutsideTheSegmentsIsTouched() {
        List<Runnable> wrong = new ArrayList<>();
        try (AmxPanels p = new AmxPanels(BothWays::of)) {
            MemorySegment rows = MemorySegment.ofArray(new float[2 * DEPTH]);
            MemorySegment to = MemorySegment.ofArray(new short[4 * DEPTH]);
            p.split(2, rows, 0, 4 * DEPTH, 2, 1, to, 0, 4 * DEPTH);
            wrong.add(() -> p.split(2, rows, 4, 4 * DEPTH, 2, 1, to, 0, 4 * DEPTH));
            wrong.add(() -> p.split(2, rows, 0, 4 * DEPTH, 2, 1, to, 2, 4 * DEPTH));
            wrong.add(() -> p.split(3, rows, 0, 4 * DEPTH, 2, 1, to, 0, 4 * DEPTH));
            wrong.add(() -> p.split(2, rows, 0, 4 * DEPTH, 3, 1, to, 0, 0));
            wrong.forEach(call -> assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class));
            assertThatThrownBy(() -> p.split(2, rows, 0, 0, 1, 0, to, 0, 0)).hasMessageContaining("0 steps");
            assertThatThrownBy(() -> p.split(2, rows, 0, 0, 1, 1, to.asReadOnly(), 0, 0))
                    .hasMessageContaining("read-only");
        }
    }
}
