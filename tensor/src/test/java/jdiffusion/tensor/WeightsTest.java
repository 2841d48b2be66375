package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WeightsTest {
    private record Source(Map<String, Tensor> tensors) implements TensorSource {
        Source() {
            this(new LinkedHashMap<>());
        }

        Source with(String name, int... dims) {
            return with(name, DType.F32, dims);
        }

        Source with(String name, DType type, int... dims) {
            Shape shape = Shape.of(dims);
            tensors.put(name, Tensor.of(MemorySegment.ofArray(new byte[(int) shape.size() * type.bytes()]), type,
                    shape));
            return this;
        }

        Weights weights() {
            return Weights.of(this, Placement.onHost());
        }

        @Override
        public String origin() {
            return "folder/model.safetensors";
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

    @Test
    void prefixesLeadToTensors() {
        Source source = new Source().with("a.blocks.0.fc.weight", 3, 2).with("a.blocks.0.fc.bias", DType.BF16, 3)
                .with("a.x", 1);
        Weights weights = source.weights();
        Weights fc = weights.at("a").at("blocks", 0).at("fc");
        assertThat(fc.has("bias")).isTrue();
        assertThat(fc.has("gain")).isFalse();
        assertThat(fc.shape("weight")).isEqualTo(Shape.of(3, 2));
        assertThat(fc.matrix("weight", 3, 2)).isEqualTo(Weight.of(source.find("a.blocks.0.fc.weight")));
        assertThat(fc.tensor("bias", 3)).isSameAs(source.find("a.blocks.0.fc.bias"));
        weights.skip("a.x", 1);
        weights.skip("a.y", 1);
        weights.finish();
    }

    @Test
    void tensorsArePlaced() {
        Tensor elsewhere = Tensor.of(new float[2], 2);
        Tensor reordered = Tensor.of(new float[8], 2, 1, 2, 2);
        Weights weights = Weights.of(new Source().with("x", 2).with("y", 2, 1, 2, 2), new Placement() {
            @Override
            public Tensor tensor(Tensor stored) {
                return elsewhere;
            }

            @Override
            public Tensor kernels(Tensor stored) {
                return reordered;
            }

            @Override
            public long byteSize() {
                return 0;
            }

            @Override
            public void close() {
                // Nothing is held.
            }
        });
        assertThat(weights.tensor("x", 2)).isSameAs(elsewhere);
        assertThat(weights.kernels("y", 2, 1, 2, 2)).isSameAs(reordered);
    }

    @Test
    void countsConsecutiveEntries() {
        Source source = new Source().with("b.0.w", 1).with("b.1.w", 1).with("b.1.v", 1).with("b.10.w", 1)
                .with("b.2.w", 1).with("b.4.w", 1).with("c.1.w", 1).with("d.0", 1).with("b.3", 1).with("b-3.w", 1);
        assertThat(source.weights().count("b")).isEqualTo(3);
        assertThat(source.weights().count("c")).isZero();
        assertThat(source.weights().count("d")).isZero();
        assertThat(source.weights().at("b").count("0")).isZero();
    }

    @Test
    void oneErrorNamesEveryFault() {
        Source source = new Source().with("wide", 3, 2).with("whole", DType.I64, 4).with("left.over", 5, 6)
                .with("strange\n\u202e", 1).with("skipped", 7);
        Weights weights = source.weights();
        weights.matrix("wide", 2, 3);
        weights.tensor("whole", 4);
        weights.at("no").tensor("where", 9);
        weights.skip("skipped", 8);
        assertThat(catchThrowable(weights::finish)).isInstanceOf(InputException.class).hasMessage(
                "folder/model.safetensors: 6 tensor(s) do not fit the model: wide is [3, 2], not [2, 3]; "
                        + "whole has type I64, not a floating-point type; missing no.where [9]; "
                        + "skipped is [7], not [8]; unknown left.over [5, 6]; unknown strange\\u000a\\u202e [1]");
    }

    @Test
    void aLongErrorIsCut() {
        Weights weights = new Source().weights();
        for (int i = 0; i < 1000; i++) {
            weights.tensor("t" + i, i);
        }
        assertThat(catchThrowable(weights::finish)).hasMessageContaining("1000 tensor(s)")
                .hasMessageContaining("missing t7 [7]; and 992 more").hasMessageNotContaining("t8");
    }

    @Test
    void readingTwiceIsAMistake() {
        Weights weights = new Source().with("x", 2).weights();
        weights.tensor("x", 2);
        assertThatThrownBy(() -> weights.tensor("x", 2)).isInstanceOf(IllegalStateException.class)
                .hasMessage("tensor x is read twice");
    }

    @Test
    void aPlaceholderHasTheShapeAndNoMemory() {
        Weights weights = new Source().weights();
        Tensor placeholder = weights.tensor("x", 5, 1 << 20);
        assertThat(placeholder.shape()).isEqualTo(Shape.of(5, 1 << 20));
        Tensor view = placeholder.columns(2, 7).slice(1, 3).at(0);
        assertThat(view.shape()).isEqualTo(Shape.of(5));
        assertThatThrownBy(() -> view.get(0, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(view::toArray).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> view.set(0, 0, 1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void sizesThatCannotBeToldAreTheFilesFault() {
        int most = Integer.MAX_VALUE;
        Source source = new Source().with("empty", most, 0);
        Weights weights = source.weights();
        assertThatThrownBy(() -> weights.shape("gone")).isInstanceOf(InputException.class)
                .hasMessageContaining("folder/model.safetensors: the tensor gone is missing");
        assertThatThrownBy(() -> weights.shape("empty")).isInstanceOf(InputException.class)
                .hasMessageContaining("the tensor empty is [2147483647, 0]");
        assertThatThrownBy(() -> weights.tensor("x", most + 1, 4)).isInstanceOf(InputException.class)
                .hasMessageContaining("x would be [-2147483648, 4]");
        assertThatThrownBy(() -> weights.tensor("x", most, most, 4)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> weights.skip("x", most, most, 1)).isInstanceOf(InputException.class);
    }

    /** A scan of all names for each of them would compare 100 billion strings, on however fast a machine. */
    @Test
    void manyTensorsAreNotSearchedOneByOne() {
        int depth = 100_000;
        String prefix = "model.diffusion_model.";
        Source source = new Source();
        for (int i = 0; i < depth; i++) {
            source.with(prefix + "blocks." + i + ".weight", 1);
        }
        assertTimeoutPreemptively(Duration.ofMinutes(10), () -> {
            Weights weights = source.weights();
            Weights inner = weights.at(prefix.substring(0, prefix.length() - 1));
            for (int repeat = 0; repeat < 10; repeat++) {
                assertThat(inner.count("blocks")).isEqualTo(depth);
            }
            for (int i = 0; i < depth; i++) {
                inner.at("blocks", i).tensor("weight", 1);
            }
            weights.finish();
        });
    }
}
