package jdiffusion.model.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every type on a ragged matrix: sizes, errors, and that pieces make the whole. */
class QuantTypeTest {
    private static final int ROWS = 37;
    private static final int COLS = 160;

    private static Tensor random(DType type) {
        SplittableRandom random = new SplittableRandom(5);
        float[] values = new float[ROWS * COLS];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() * 0.02f;
        }
        Tensor f32 = Tensor.of(values, ROWS, COLS);
        byte[] bytes = new byte[values.length * type.bytes()];
        QuantType.narrowed(Elements.of(f32), type).readAll(MemorySegment.ofArray(bytes));
        return Tensor.of(MemorySegment.ofArray(bytes), type, Shape.of(ROWS, COLS));
    }

    @ParameterizedTest
    @EnumSource
    void errorsAreThoseOfTheType(QuantType type) {
        double bound = switch (type) {
            case NF4, NF4_DOUBLE -> 0.10;
            case FP4, FP4_DOUBLE -> 0.14;
            case Q4_0 -> 0.12;
            case Q8_0 -> 0.006;
            case FP8 -> 0.03;
            // Weights of this scale are subnormal in part.
            case FP8_PLAIN -> 0.05;
        };
        for (DType from : new DType[] {DType.F32, DType.BF16, DType.F16}) {
            Tensor tensor = random(from);
            try (Arena arena = Arena.ofShared()) {
                Stored stored = type.quantise(Elements.of(tensor));
                Weight made = stored.weight(ROWS, COLS, arena);
                assertThat(type.is(stored)).isTrue();
                assertThat(made.byteSize()).isEqualTo(stored.byteSize() - (type == QuantType.FP8 ? 4 : 0));
                assertThat(type.outline(Elements.of(tensor)).byteSize()).isEqualTo(stored.byteSize());
                double squared = 0;
                double total = 0;
                float[] row = new float[COLS];
                for (int r = 0; r < ROWS; r++) {
                    made.read(r, 0, COLS, row, 0);
                    for (int c = 0; c < COLS; c++) {
                        squared += Math.pow(row[c] - tensor.get(r, c), 2);
                        total += Math.pow(tensor.get(r, c), 2);
                    }
                }
                assertThat(Math.sqrt(squared / total)).isBetween(bound / 4, bound);
            }
        }
    }

    @Test
    void scaledFp8RoundsEachElementToTheNearest() {
        Tensor tensor = random(DType.F32);
        float largest = 0;
        for (float value : tensor.toArray()) {
            largest = Math.max(largest, Math.abs(value));
        }
        float scale = largest / 448;
        try (Arena arena = Arena.ofShared()) {
            var made = (Weight.Scaled) QuantType.FP8.quantise(Elements.of(tensor)).weight(ROWS, COLS, arena);
            assertThat(made.scale()).isEqualTo(scale);
            for (int r = 0; r < ROWS; r++) {
                for (int c = 0; c < COLS; c++) {
                    assertThat(made.tensor().get(r, c)).isEqualTo(FloatFormat.e4m3ToFloat(
                            FloatFormat.floatToE4m3(tensor.get(r, c) / scale)));
                }
            }
        }
    }

    @Test
    void scaledFp8OfTheLeastNumbersIsFinite() {
        Tensor tensor = Tensor.of(new float[] {Float.MIN_VALUE, -1e-44f, 0, 1e-43f}, 1, 4);
        try (Arena arena = Arena.ofShared()) {
            Weight made = QuantType.FP8.quantise(Elements.of(tensor)).weight(1, 4, arena);
            float[] read = new float[4];
            made.read(0, 0, 4, read, 0);
            assertThat(read).containsExactly(0, -0f, 0, 0);
        }
    }

    @Test
    void plainFp8StopsAtItsLargest() {
        byte[] bytes = new byte[4];
        QuantType.narrowed(Elements.of(Tensor.of(new float[] {1e6f, -1e6f, 448, 0.1f}, 1, 4)), DType.F8_E4M3)
                .readAll(MemorySegment.ofArray(bytes));
        assertThat(Tensor.of(MemorySegment.ofArray(bytes), DType.F8_E4M3, Shape.of(4)).toArray())
                .containsExactly(448, -448, 448, 0.1015625f);
    }

    @ParameterizedTest
    @EnumSource
    void anyPieceIsThatOfTheWhole(QuantType type) {
        for (var content : switch (type.quantise(Elements.of(random(DType.BF16)))) {
            case Stored.Plain p -> new jdiffusion.tensor.Content[] {p.bytes()};
            case Stored.Scaled s -> new jdiffusion.tensor.Content[] {s.bytes()};
            case Stored.Blocks b -> new jdiffusion.tensor.Content[] {b.bytes()};
            case Stored.FourBit f -> new jdiffusion.tensor.Content[] {f.codes(), f.absmax()};
        }) {
            byte[] all = new byte[(int) content.byteSize()];
            content.readAll(MemorySegment.ofArray(all));
            int from = all.length / 3 / content.unit() * content.unit();
            byte[] part = new byte[Math.min(all.length - from, 3 * content.unit())];
            content.read(from, MemorySegment.ofArray(part));
            assertThat(part).isEqualTo(java.util.Arrays.copyOfRange(all, from, from + part.length));
        }
    }
}
