package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class TensorTest {
    /** 0, 1, 2, ... */
    private static Tensor counting(int... dims) {
        float[] values = new float[(int) Shape.of(dims).size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        return Tensor.of(values, dims);
    }

    @Test
    void columnsAreAViewWithGaps() {
        Tensor all = counting(2, 2, 5);
        Tensor cut = all.columns(1, 4);
        assertThat(cut.shape()).isEqualTo(Shape.of(2, 2, 3));
        assertThat(cut.isContiguous()).isFalse();
        assertThat(cut.rowStride()).isEqualTo(5);
        assertThat(cut.byteSize()).isEqualTo(48);
        assertThat(cut.rowOffset(3)).isEqualTo(60);
        assertThat(cut.toArray()).containsExactly(1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18);
        assertThat(cut).hasToString("F32[2, 2, 3] (row stride 5)");
        cut.set(3, 2, -1);
        assertThat(all.get(3, 3)).isEqualTo(-1);
    }

    @Test
    void columnsOfColumns() {
        assertThat(counting(2, 6).columns(1, 6).columns(1, 3).toArray()).containsExactly(2, 3, 8, 9);
    }

    @Test
    void slicesTheOutermostDimension() {
        Tensor cut = counting(3, 2, 2).slice(1, 3);
        assertThat(cut.shape()).isEqualTo(Shape.of(2, 2, 2));
        assertThat(cut.toArray()).containsExactly(4, 5, 6, 7, 8, 9, 10, 11);
        assertThat(counting(5).slice(2, 4).toArray()).containsExactly(2, 3);
        assertThat(counting(3, 2, 4).columns(1, 3).slice(2, 3).toArray()).containsExactly(17, 18, 21, 22);
    }

    @Test
    void atDropsTheOutermostDimension() {
        assertThat(counting(3, 2, 2).at(1).shape()).isEqualTo(Shape.of(2, 2));
        assertThat(counting(3, 2, 2).at(1).toArray()).containsExactly(4, 5, 6, 7);
        assertThat(counting(4).at(3).shape()).isEqualTo(Shape.of());
        assertThat(counting(4).at(3).toArray()).containsExactly(3);
        assertThat(counting(2, 3, 4).columns(1, 3).at(1).toArray()).containsExactly(13, 14, 17, 18, 21, 22);
        assertThat(counting(2, 5).columns(1, 3).at(1).at(1).toArray()).containsExactly(7);
    }

    @Test
    void emptyViewsExistEverywhere() {
        Tensor gaps = counting(3, 5).columns(1, 3);
        assertThat(gaps.slice(3, 3).toArray()).isEmpty();
        assertThat(gaps.slice(0, 0).shape()).isEqualTo(Shape.of(0, 2));
        assertThat(gaps.columns(2, 2).toArray()).isEmpty();
        assertThat(counting(0, 4).columns(2, 4).shape()).isEqualTo(Shape.of(0, 2));
        assertThat(counting(3, 0).slice(1, 3).shape()).isEqualTo(Shape.of(2, 0));
        assertThat(counting(0, 2, 3).slice(0, 0).toArray()).isEmpty();
        assertThat(counting(4).slice(4, 4).toArray()).isEmpty();
        gaps.columns(2, 2).copyFrom(new float[0]);
        gaps.slice(3, 3).copyFrom(new float[0]);
    }

    @Test
    void reshapes() {
        assertThat(counting(2, 6).reshape(3, 4).toArray()).isEqualTo(counting(12).toArray());
        assertThat(counting(2, 6).reshape(12).rows()).isEqualTo(1);
        assertThat(counting(1).reshape().shape()).isEqualTo(Shape.of());
        Tensor gaps = counting(2, 3, 5).columns(1, 3);
        assertThat(gaps.reshape(6, 2).toArray()).isEqualTo(gaps.toArray());
        assertThat(gaps.reshape(3, 1, 2, 2).rowStride()).isEqualTo(5);
        // One row has no gaps, whatever its stride.
        assertThat(counting(2, 6).columns(1, 5).slice(1, 2).reshape(2, 2).toArray()).containsExactly(7, 8, 9, 10);
    }

    @Test
    void copiesInAndOut() {
        Tensor target = counting(2, 4);
        target.columns(1, 3).copyFrom(new float[] {-1, -2, -3, -4});
        assertThat(target.toArray()).containsExactly(0, -1, -2, 3, 4, -3, -4, 7);
    }

    @Test
    void copiesIntoBfloat16RoundingToNearestEven() {
        short[] stored = {9, 9, 9, 9, 9, 9, 9, 9};
        Tensor target = Tensor.of(MemorySegment.ofArray(stored), DType.BF16, Shape.of(2, 4)).columns(1, 4);
        target.copyFrom(new float[] {1.00390625f, 1.01171875f, -2, Float.NaN, Float.MAX_VALUE, 0x1p-149f});
        assertThat(stored).containsExactly(9, 0x3f80, 0x3f82, 0xc000, 9, 0x7fc0, 0x7f80, 0);
        assertThat(target.toArray()).containsExactly(1, 1.015625f, -2, Float.NaN, Float.POSITIVE_INFINITY, 0);
    }

    @Test
    void readsEveryTypeLittleEndianAndUnaligned() {
        MemorySegment memory = MemorySegment.ofArray(new byte[] {99, 0, 0, (byte) 0xc0, 0x3f, 0, 0, 0, 0});
        MemorySegment unaligned = memory.asSlice(1);
        assertThat(Tensor.of(unaligned, DType.F32, Shape.of(2)).toArray()).containsExactly(1.5f, 0);
        assertThat(Tensor.of(unaligned, DType.BF16, Shape.of(2)).toArray()).containsExactly(0, 1.5f);
        assertThat(Tensor.of(unaligned.asSlice(1), DType.F16, Shape.of(1)).get(0, 0)).isEqualTo(-2);
        assertThat(Tensor.of(unaligned.asSlice(3), DType.F8_E4M3, Shape.of(1)).get(0, 0)).isEqualTo(1.875f);
        assertThat(Tensor.of(unaligned.asSlice(2), DType.F8_E5M2, Shape.of(1)).get(0, 0)).isEqualTo(-2);
        assertThat(Tensor.of(unaligned, DType.I32, Shape.of(1)).get(0, 0)).isEqualTo(0x3fc00000);
        assertThat(Tensor.of(unaligned, DType.I64, Shape.of(1)).get(0, 0)).isEqualTo(0x3fc00000);
        assertThat(Tensor.of(unaligned.asSlice(2), DType.I16, Shape.of(1)).get(0, 0)).isEqualTo(0x3fc0);
        assertThat(Tensor.of(unaligned.asSlice(2), DType.I8, Shape.of(1)).get(0, 0)).isEqualTo(-64);
        assertThat(Tensor.of(unaligned.asSlice(2), DType.U8, Shape.of(1)).get(0, 0)).isEqualTo(192);
        assertThat(Tensor.of(unaligned.asSlice(3), DType.BOOL, Shape.of(1)).get(0, 0)).isEqualTo(63);
        unaligned.set(ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(java.nio.ByteOrder.LITTLE_ENDIAN), 0, -2.5);
        assertThat(Tensor.of(unaligned, DType.F64, Shape.of(1)).get(0, 0)).isEqualTo(-2.5f);
    }

    @Test
    void rejectsViewsThatDoNotExist() {
        Tensor tensor = counting(3, 4);
        Class<IndexOutOfBoundsException> outside = IndexOutOfBoundsException.class;
        assertThatThrownBy(() -> tensor.columns(2, 5)).isInstanceOf(outside)
                .hasMessage("columns 2 to 5 of [3, 4]");
        assertThatThrownBy(() -> tensor.columns(-1, 2)).isInstanceOf(outside);
        assertThatThrownBy(() -> tensor.columns(3, 2)).isInstanceOf(outside);
        assertThatThrownBy(() -> tensor.slice(0, 4)).isInstanceOf(outside).hasMessage("entries 0 to 4 of [3, 4]");
        assertThatThrownBy(() -> tensor.at(3)).isInstanceOf(outside);
        assertThatThrownBy(() -> tensor.at(-1)).isInstanceOf(outside);
        Tensor scalar = counting();
        assertThatThrownBy(() -> scalar.columns(0, 1)).isInstanceOf(outside);
        assertThatThrownBy(() -> scalar.slice(0, 1)).isInstanceOf(outside);
        assertThatThrownBy(() -> tensor.reshape(5, 2)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("cannot view F32[3, 4] as [5, 2]");
        assertThatThrownBy(() -> tensor.columns(0, 2).reshape(6)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void rejectsTooLittleMemory() {
        MemorySegment memory = MemorySegment.ofArray(new float[11]);
        assertThatThrownBy(() -> Tensor.of(memory, DType.F32, Shape.of(3, 4)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("tensor F32[3, 4] needs 48 bytes, memory has 44");
        assertThat(new Tensor(memory, DType.F32, Shape.of(3, 3), 4).get(2, 2)).isZero();
        assertThatThrownBy(() -> new Tensor(memory, DType.F32, Shape.of(3, 4), 3))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Tensor.of(memory, DType.F64, Shape.of(Integer.MAX_VALUE, Integer.MAX_VALUE)))
                .isInstanceOf(ArithmeticException.class);
    }

    @Test
    void rejectsWritingOtherTypesAndCounts() {
        Tensor bytes = Tensor.of(MemorySegment.ofArray(new byte[4]), DType.U8, Shape.of(4));
        assertThatThrownBy(() -> bytes.set(0, 0, 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> bytes.copyFrom(new float[4])).isInstanceOf(IllegalArgumentException.class);
        Tensor halves = Tensor.of(MemorySegment.ofArray(new short[4]), DType.F16, Shape.of(4));
        assertThatThrownBy(() -> halves.copyFrom(new float[4])).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("F16[4]");
        assertThatThrownBy(() -> counting(4).copyFrom(new float[3])).isInstanceOf(IllegalArgumentException.class);
    }
}
