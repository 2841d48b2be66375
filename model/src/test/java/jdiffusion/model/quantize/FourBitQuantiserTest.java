package jdiffusion.model.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.SplittableRandom;
import jdiffusion.model.TestData;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.QuantisedSource;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Codes and scales against bitsandbytes' own, bit for bit, and against a search through the map. */
class FourBitQuantiserTest {
    @ParameterizedTest
    @CsvSource({"nf4, plain", "nf4, double", "fp4, plain", "fp4, double"})
    void equalsBitsandbytes(String kind, String scales) {
        Path file = TestData.reference().resolve("quant/bnb4.safetensors");
        try (SafetensorsFile tensors = SafetensorsFile.open(file); Arena arena = Arena.ofShared()) {
            for (String size : new String[] {"33x192", "96x128"}) {
                String name = kind + "." + scales + "." + size + ".weight";
                FourBitWeight wanted = (FourBitWeight) QuantisedSource.of(tensors).weight(name);
                Elements original = Elements.of(tensors.find("expect/" + name + ".original"));
                QuantType type = QuantType.of(scales.equals("plain") ? kind : kind + "-double");
                FourBitWeight made = (FourBitWeight) type.quantise(original)
                        .weight(wanted.rows(), wanted.cols(), arena);
                assertSame(made.codes(), wanted.codes(), name + " codes");
                assertSame(made.map(), wanted.map(), name + " map");
                assertSame(made.absmax(), wanted.absmax(), name + " absmax");
                assertThat(made.blockSize()).isEqualTo(wanted.blockSize());
                if (wanted.nested() == null) {
                    assertThat(made.nested()).isNull();
                } else {
                    assertSame(made.nested().map(), wanted.nested().map(), name + " nested map");
                    // A mean in another order of addition.
                    assertThat(made.nested().offset()).isCloseTo(wanted.nested().offset(),
                            org.assertj.core.data.Offset.offset(Math.ulp(0.125f) * 2));
                    assertThat(made.nested().absmax().get(0, 0)).isCloseTo(wanted.nested().absmax().get(0, 0),
                            org.assertj.core.data.Offset.offset(Math.ulp(0.125f) * 2));
                }
                assertThat(type.quantise(original).byteSize()).isEqualTo(wanted.byteSize());
            }
        }
    }

    private static void assertSame(Tensor made, Tensor wanted, String what) {
        assertThat(made.type()).isEqualTo(wanted.type());
        assertThat(made.shape().size()).isEqualTo(wanted.shape().size());
        assertThat(made.data().asSlice(0, made.byteSize()).mismatch(wanted.data().asSlice(0, wanted.byteSize())))
                .as(what).isEqualTo(-1);
    }

    @Test
    void theNearestValueOfTheMap() {
        SplittableRandom random = new SplittableRandom(4);
        for (CodeMap map : new CodeMap[] {CodeMap.NF4, CodeMap.FP4, CodeMap.SCALES}) {
            float[] values = map.tensor().toArray();
            for (int i = 0; i < 200_000; i++) {
                float x = i < 1000 ? Math.clamp(values[i % values.length] + (i % 3 - 1) * 1e-6f, -1, 1)
                        : (float) random.nextDouble(-1, 1) * (float) Math.pow(10, -random.nextInt(4));
                float nearest = Float.MAX_VALUE;
                for (float value : values) {
                    nearest = Math.min(nearest, Math.abs(x - value));
                }
                assertThat(Math.abs(x - values[map.code(x)])).isLessThanOrEqualTo(nearest + Math.ulp(Math.abs(x)));
            }
        }
    }

    @Test
    void oddSizesAndBlocksOfZeros() {
        float[] values = new float[3 * 43];
        for (int i = 64; i < values.length; i++) {
            values[i] = (i % 7 - 3) / 3f;
        }
        try (Arena arena = Arena.ofShared()) {
            for (QuantType type : new QuantType[] {QuantType.NF4, QuantType.NF4_DOUBLE, QuantType.FP4}) {
                Weight made = type.quantise(Elements.of(Tensor.of(values, 3, 43))).weight(3, 43, arena);
                float[] read = new float[values.length];
                Elements.of(made).read(0, values.length, read, 0);
                for (int i = 0; i < values.length; i++) {
                    assertThat(Math.abs(read[i] - values[i])).as("element " + i).isLessThan(i < 64 ? 1e-3f : 0.18f);
                }
            }
        }
    }
}
