package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class QuantisedSourceTest {
    /** 1.5, -2, 448 and 0.5 in e4m3. */
    private static final byte[] E4M3 = {0x3c, (byte) 0xc0, 0x7e, 0x30};

    private record Source(Map<String, Tensor> tensors) implements TensorSource {
        static Source scaled() {
            return new Source(new TreeMap<>()).with("a.weight",
                            Tensor.of(MemorySegment.ofArray(E4M3), DType.F8_E4M3, Shape.of(2, 2)))
                    .with("a.scale_weight", Tensor.of(new float[] {0.25f}))
                    .with("a.scale_input", Tensor.of(new float[] {3}))
                    .with("scaled_fp8", Tensor.of(MemorySegment.ofArray(new byte[2]), DType.F8_E4M3, Shape.of(2)));
        }

        Source with(String name, Tensor tensor) {
            tensors.put(name, tensor);
            return this;
        }

        @Override
        public String origin() {
            return "model.safetensors";
        }

        @Override
        public Set<String> names() {
            return tensors.keySet();
        }

        @Override
        public Tensor find(String name) {
            return tensors.get(name);
        }
    }

    private static float[] row(Weight w, int row) {
        float[] values = new float[w.cols()];
        w.read(row, 0, w.cols(), values, 0);
        return values;
    }

    @Test
    void aScaledMatrixIsOneMatrix() {
        TensorSource source = QuantisedSource.of(Source.scaled());
        assertThat(source.names()).containsExactly("a.weight");
        assertThat(source.find("a.weight")).isNull();
        assertThat(source.shape("a.weight")).isEqualTo(Shape.of(2, 2));
        assertThat(source.byteSize()).isEqualTo(4);
        Weights weights = Weights.of(source, Placement.onHost());
        Weight w = weights.at("a").matrix("weight", 2, 2);
        weights.finish();
        assertThat(row(w, 0)).containsExactly(0.375f, -0.5f);
        assertThat(row(w.slice(1, 2), 0)).containsExactly(112, 0.125f);
    }

    @Test
    void newerNamesOfTheScale() {
        Source source = Source.scaled();
        source.tensors.remove("scaled_fp8");
        source.with("a.weight_scale", source.tensors.remove("a.scale_weight"))
                .with("a.input_scale", source.tensors.remove("a.scale_input"))
                .with("a.comfy_quant", Tensor.of(MemorySegment.ofArray(new byte[] {'{', '}'}), DType.U8, Shape.of(2)));
        Weights weights = Weights.of(source, Placement.onHost());
        Weight w = weights.at("a").matrix("weight", 2, 2);
        weights.finish();
        assertThat(row(w, 0)).containsExactly(0.375f, -0.5f);
    }

    @Test
    void whereAPlainTensorIsNeededItIsExpanded() {
        Weights weights = Weights.of(Source.scaled(), Placement.onHost());
        assertThat(weights.tensor("a.weight", 2, 2).toArray()).containsExactly(0.375f, -0.5f, 112, 0.125f);
        weights.finish();
    }

    @Test
    void withoutSuchPartsASourceIsItself() {
        Source plain = new Source(new TreeMap<>()).with("a.weight", Tensor.of(new float[6], 2, 3));
        assertThat(QuantisedSource.of(plain)).isSameAs(plain);
    }

    @Test
    void aScaleThatIsNoNumberIsNamed() {
        Weights weights = Weights.of(Source.scaled().with("a.scale_weight", Tensor.of(new float[2], 2)),
                Placement.onHost());
        weights.matrix("a.weight", 2, 2);
        assertThat(catchThrowable(weights::finish)).isInstanceOf(InputException.class).hasMessage(
                "model.safetensors: 1 tensor(s) do not fit the model: a.scale_weight is F32[2], not one"
                        + " floating-point number");
    }

    @Test
    void aScaleWithoutItsMatrixIsUnknown() {
        Source source = Source.scaled();
        source.tensors.remove("a.weight");
        assertThat(QuantisedSource.of(source).names()).containsExactly("a.scale_input", "a.scale_weight");
    }

    @Test
    void rowsAreCutAcrossParts() {
        Weight joined = Weight.rows(Weight.of(Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 3, 2)),
                Weight.of(Tensor.of(new float[] {7, 8, 9, 10}, 2, 2)));
        Weight cut = joined.slice(2, 5);
        assertThat(cut.rows()).isEqualTo(3);
        assertThat(row(cut, 0)).containsExactly(5, 6);
        assertThat(row(cut, 1)).containsExactly(7, 8);
        assertThat(row(cut, 2)).containsExactly(9, 10);
        assertThat(joined.slice(3, 5)).isEqualTo(((Weight.Rows) joined).parts().get(1).slice(0, 2));
        assertThatThrownBy(() -> row(joined, 5)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void fourBitRowsAreCutWhereABlockBegins() {
        byte[] codes = new byte[96];
        float[] map = new float[16];
        float[] absmax = {1, 2, 3, 4, 5, 6};
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) (i * 37);
        }
        for (int i = 0; i < map.length; i++) {
            map[i] = i - 7.5f;
        }
        Weight w = new FourBitWeight(4, 48, Tensor.of(MemorySegment.ofArray(codes), DType.U8, Shape.of(96)),
                Tensor.of(map, 16), 32, Tensor.of(absmax, 6), null);
        Weight cut = w.slice(2, 4);
        assertThat(row(cut, 0)).containsExactly(row(w, 2));
        assertThat(row(cut, 1)).containsExactly(row(w, 3));
        // Element 50 is in the second block and the low half of byte 25.
        assertThat(row(w, 1)[2]).isEqualTo(((byte) (25 * 37) >> 4 & 15) * 2 - 15);
        assertThatThrownBy(() -> w.slice(1, 4)).isInstanceOf(InputException.class)
                .hasMessageContaining("cannot be cut at row 1");
    }

    @Test
    void anAdapterAddsToEveryRow() {
        Tensor down = Tensor.of(new float[] {1, 0, 2, 0, 1, 3}, 2, 3);
        Tensor up = Tensor.of(new float[] {1, 1, 0, 2}, 2, 2);
        Weight w = new Weight.Adapted(Weight.of(Tensor.of(new float[] {1, 1, 1, 2, 2, 2}, 2, 3)),
                List.of(new Delta.LowRank(down, up, 0.5f)));
        assertThat(row(w, 0)).containsExactly(1.5f, 1.5f, 3.5f);
        assertThat(row(w, 1)).containsExactly(2, 3, 5);
        assertThat(row(w.slice(1, 2), 0)).containsExactly(2, 3, 5);
        assertThat(w.byteSize()).isEqualTo(24 + 24 + 16);
        float[] part = new float[1];
        w.read(0, 2, 1, part, 0);
        assertThat(part).containsExactly(3.5f);
    }
}
