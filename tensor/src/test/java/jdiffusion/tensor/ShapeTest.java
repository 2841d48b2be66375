package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ShapeTest {
    @Test
    void sizesOfAllRanks() {
        Shape shape = Shape.of(2, 77, 64);
        assertThat(shape.size()).isEqualTo(9856);
        assertThat(shape.rank()).isEqualTo(3);
        assertThat(shape.rows()).isEqualTo(154);
        assertThat(shape.cols()).isEqualTo(64);
        assertThat(shape.dim(0)).isEqualTo(2);
        assertThat(shape.dim(-1)).isEqualTo(64);
        assertThat(shape.dim(-3)).isEqualTo(2);
        assertThat(shape).hasToString("[2, 77, 64]");
    }

    @Test
    void aScalarIsOneRowOfOne() {
        Shape scalar = Shape.of();
        assertThat(scalar.size()).isEqualTo(1);
        assertThat(scalar.rows()).isEqualTo(1);
        assertThat(scalar.cols()).isEqualTo(1);
        assertThat(scalar).hasToString("[]");
    }

    @Test
    void aSizeOfNoneHasNoElements() {
        assertThat(Shape.of(3, 0, 5).size()).isZero();
        assertThat(Shape.of(3, 0, 5).rows()).isZero();
        assertThat(Shape.of(3, 0).rows()).isEqualTo(3);
    }

    @Test
    void countsBeyond32Bits() {
        assertThat(Shape.of(65536, 65536).size()).isEqualTo(1L << 32);
    }

    @Test
    void equalsBySizesAndKeepsItsOwnCopy() {
        int[] dims = {2, 3};
        Shape shape = Shape.of(dims);
        dims[0] = 9;
        shape.dims()[1] = 9;
        assertThat(shape).isEqualTo(Shape.of(2, 3)).hasSameHashCodeAs(Shape.of(2, 3));
        assertThat(shape).isNotEqualTo(Shape.of(3, 2)).isNotEqualTo(Shape.of(2, 3, 1));
    }

    @Test
    void rejectsWhatCannotBe() {
        assertThatThrownBy(() -> Shape.of(2, -1)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("negative dimension in [2, -1]");
        int most = Integer.MAX_VALUE;
        assertThatThrownBy(() -> Shape.of(most, most, most)).isInstanceOf(ArithmeticException.class);
        assertThatThrownBy(() -> Shape.of(65536, 65536, 1).rows()).isInstanceOf(ArithmeticException.class);
    }
}
