package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Matrices that bitsandbytes stored in 4 bits, from names and JSON to a weight. */
class FourBitTest {
    private static final String STATE = "a.w.quant_state.bitsandbytes__nf4";
    private static final String NESTED = """
            {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [6, 96], "nested_blocksize": 256,
             "nested_dtype": "float32", "nested_offset": 0.1287233978509903}""";

    private record Source(Map<String, Tensor> tensors) implements TensorSource {
        /** A sound matrix [6, 96] in nine blocks of 64, its scales quantised too. */
        static Source nested(String json) {
            Source source = new Source(new TreeMap<>());
            source.put("a.w", DType.U8, 288, 1).put("a.w.quant_map", DType.F32, 16).put("a.w.absmax", DType.U8, 9)
                    .put("a.w.nested_absmax", DType.F32, 1).put("a.w.nested_quant_map", DType.F32, 256);
            return source.json(STATE, json);
        }

        Source put(String name, DType type, int... dims) {
            Shape shape = Shape.of(dims);
            tensors.put(name, Tensor.of(MemorySegment.ofArray(new byte[(int) shape.size() * type.bytes()]), type,
                    shape));
            return this;
        }

        Source json(String name, String json) {
            byte[] text = json.getBytes(StandardCharsets.UTF_8);
            tensors.put(name, Tensor.of(MemorySegment.ofArray(text), DType.U8, Shape.of(text.length)));
            return this;
        }

        Weights weights() {
            return Weights.of(this, Placement.onHost()).at("a");
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

    /** Leaves tensors where they are and keeps a list of them. */
    private record Recording(List<Tensor> placed) implements Placement {
        @Override
        public Tensor tensor(Tensor stored) {
            placed.add(stored);
            return stored;
        }

        @Override
        public Tensor kernels(Tensor stored) {
            throw new AssertionError("no convolution here");
        }

        @Override
        public long byteSize() {
            return placed.stream().mapToLong(Tensor::byteSize).sum();
        }

        @Override
        public void close() {
            placed.clear();
        }
    }

    @Test
    void quantisedScalesAndTheirStateAreReadOnce() {
        Source source = Source.nested(NESTED);
        List<Tensor> placed = new ArrayList<>();
        Weights weights = Weights.of(source, new Recording(placed)).at("a");
        assertThat(weights.shape("w")).isEqualTo(Shape.of(6, 96));
        FourBitWeight w = (FourBitWeight) weights.matrix("w", 6, 96);
        weights.finish();
        assertThat(w.rows()).isEqualTo(6);
        assertThat(w.cols()).isEqualTo(96);
        assertThat(w.blockSize()).isEqualTo(64);
        assertThat(w.codes()).isEqualTo(Tensor.of(source.find("a.w").data(), DType.U8, Shape.of(288)));
        assertThat(w.absmax().data()).isEqualTo(source.find("a.w.absmax").data());
        assertThat(w.map().data()).isEqualTo(source.find("a.w.quant_map").data());
        assertThat(w.nested().blockSize()).isEqualTo(256);
        assertThat(w.nested().offset()).isEqualTo(0.1287234f);
        assertThat(w.nested().absmax().data()).isEqualTo(source.find("a.w.nested_absmax").data());
        assertThat(w.nested().map().data()).isEqualTo(source.find("a.w.nested_quant_map").data());
        assertThat(placed).containsExactlyInAnyOrder(w.codes(), w.map(), w.absmax(), w.nested().absmax(),
                w.nested().map());
        assertThatThrownBy(() -> weights.matrix("w", 6, 96)).isInstanceOf(IllegalStateException.class)
                .hasMessage("tensor a.w is read twice");
    }

    @Test
    void plainScalesAnotherCodeAndAnOddSize() {
        Source source = new Source(new TreeMap<>()).put("a.w", DType.U8, 8, 1).put("a.w.quant_map", DType.F32, 16)
                .put("a.w.absmax", DType.F32, 1).json("a.w.quant_state.bitsandbytes__fp4",
                        "{\"shape\": [3, 5], \"dtype\": \"float16\", \"blocksize\": 128, \"quant_type\": \"fp4\", "
                                + "\"later\": {\"x\": [1]}}");
        Weights weights = source.weights();
        FourBitWeight w = (FourBitWeight) weights.matrix("w", 3, 5);
        weights.finish();
        assertThat(w.nested()).isNull();
        assertThat(w.blockSize()).isEqualTo(128);
        assertThat(w.absmax().type()).isEqualTo(DType.F32);
    }

    @Test
    void codesMayBeStoredAsWiderElements() {
        Source source = Source.nested(NESTED).put("a.w", DType.BF16, 144, 1);
        Weights weights = source.weights();
        FourBitWeight w = (FourBitWeight) weights.matrix("w", 6, 96);
        weights.finish();
        assertThat(w.codes().type()).isEqualTo(DType.U8);
        assertThat(w.codes().cols()).isEqualTo(288);
    }

    @Test
    void aMatrixThatIsNotNeededIsMarkedWhole() {
        Weights weights = Source.nested(NESTED).weights();
        weights.skip("w", 6, 96);
        weights.skip("w", 6, 96);
        weights.finish();
    }

    @Test
    void everyFaultOfAPartIsNamed() {
        Source source = Source.nested(NESTED).put("a.w", DType.U8, 289).put("a.w.absmax", DType.F32, 9)
                .put("a.w.nested_quant_map", DType.F32, 255).put("a.w.strange", DType.F32, 1);
        source.tensors.remove("a.w.quant_map");
        Weights weights = source.weights();
        Weight placeholder = weights.matrix("w", 6, 97);
        assertThat(placeholder.cols()).isEqualTo(97);
        assertThat(catchThrowable(weights::finish)).isInstanceOf(InputException.class).hasMessage(
                "model.safetensors: 6 tensor(s) do not fit the model: a.w is U8[289], not 288 bytes; "
                        + "missing a.w.quant_map, 16 of type F32; a.w.absmax is F32[9], not 9 of type U8; "
                        + "a.w.nested_quant_map is F32[255], not 256 of type F32; a.w is [6, 96], not [6, 97]; "
                        + "unknown a.w.strange [1]");
        Weights skipped = Source.nested(NESTED).put("a.w.absmax", DType.U8, 8).weights();
        skipped.skip("w", 96, 6);
        assertThat(catchThrowable(skipped::finish)).hasMessageContaining("a.w.absmax is U8[8], not 9 of type U8")
                .hasMessageContaining("a.w is [6, 96], not [96, 6]");
    }

    @Test
    void withoutACheckpointsCodesNothingIsKnown() {
        Source source = Source.nested(NESTED);
        source.tensors.remove("a.w");
        assertThatThrownBy(() -> source.weights().shape("w")).hasMessageContaining("the tensor a.w is missing");
        Weights weights = source.weights();
        weights.matrix("w", 6, 96);
        assertThat(catchThrowable(weights::finish)).hasMessageContaining("missing a.w, 288 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", "[]", "nf4", "{\"quant_type\": \"nf4\"", "{\"blocksize\": 64}", "\u0000", "{} {}",
        "{\"quant_type\": \"fp4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 0, \"dtype\": \"bfloat16\", \"shape\": [6, 96]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 48, \"dtype\": \"bfloat16\", \"shape\": [6, 96]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 16, \"dtype\": \"bfloat16\", \"shape\": [6, 96]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": -64, \"dtype\": \"bfloat16\", \"shape\": [6, 96]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": \"64\", \"dtype\": \"bfloat16\", \"shape\": [6, 96]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\"}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [576]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96, 1]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 4294967296]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [2147483647, 2147483647]}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96], "
                + "\"nested_offset\": 1}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96], "
                + "\"nested_blocksize\": 256, \"nested_dtype\": \"float32\"}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96], "
                + "\"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": 1e39}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96], "
                + "\"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": NaN}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96], "
                + "\"nested_blocksize\": 256, \"nested_dtype\": \"float16\", \"nested_offset\": 1}",
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [6, 96], "
                + "\"nested_blocksize\": 3, \"nested_dtype\": \"float32\", \"nested_offset\": 1}"})
    void aStateThatCannotBeReadIsOneClearError(String json) {
        Weights weights = Source.nested(json).weights();
        assertThatThrownBy(() -> weights.matrix("w", 6, 96)).isInstanceOf(InputException.class)
                .hasMessageContaining("model.safetensors: the quantisation state " + STATE)
                .hasMessageNotContaining("\n");
        assertThatThrownBy(() -> weights.shape("w")).isInstanceOf(InputException.class);
    }

    @Test
    void damagedStatesNeverEndInAnotherException() {
        SplittableRandom random = new SplittableRandom(1);
        byte[] sound = NESTED.getBytes(StandardCharsets.UTF_8);
        for (int round = 0; round < 2000; round++) {
            byte[] damaged = sound.clone();
            for (int i = random.nextInt(1, 4); i > 0; i--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
            }
            Source source = Source.nested(NESTED);
            source.tensors.put(STATE, Tensor.of(MemorySegment.ofArray(damaged), DType.U8, Shape.of(damaged.length)));
            Weights weights = source.weights();
            try {
                weights.matrix("w", 6, 96);
                weights.finish();
            } catch (InputException e) {
                assertThat(e).hasMessageContaining("a.w");
            }
        }
    }

    @Test
    void aStateOfAbsurdSizeIsRefused() {
        Source source = Source.nested(NESTED + " ".repeat(5000));
        assertThatThrownBy(() -> source.weights().matrix("w", 6, 96)).isInstanceOf(InputException.class)
                .hasMessageContaining(STATE + " is U8[").hasMessageContaining("not up to 4096 bytes");
    }

    @Test
    void partsThatDoNotFitMakeNoWeight() {
        Tensor codes = Tensor.of(MemorySegment.ofArray(new byte[288]), DType.U8, Shape.of(288));
        Tensor map = Tensor.of(new float[16], 16);
        Tensor absmax = Tensor.of(new float[9], 9);
        FourBitWeight sound = new FourBitWeight(6, 96, codes, map, 64, absmax, null);
        assertThat(sound.blockSize()).isEqualTo(64);
        assertThatThrownBy(() -> new FourBitWeight(6, 97, codes, map, 64, absmax, null))
                .hasMessageContaining("codes");
        assertThatThrownBy(() -> new FourBitWeight(6, 96, codes, absmax, 64, absmax, null))
                .hasMessageContaining("map");
        assertThatThrownBy(() -> new FourBitWeight(6, 96, codes, map, 128, absmax, null))
                .hasMessageContaining("absmax");
        assertThatThrownBy(() -> new FourBitWeight(6, 96, codes, map, 96, absmax, null))
                .hasMessageContaining("96");
        assertThatThrownBy(() -> new FourBitWeight.Nested(256, absmax, map, 0)).hasMessageContaining("256 of F32");
    }
}
