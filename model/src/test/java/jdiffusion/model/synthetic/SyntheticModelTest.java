package jdiffusion.model.synthetic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.Outgoing;
import jdiffusion.model.families.Families;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names, shapes and configurations against those of the published files, and what random weights are like. */
class SyntheticModelTest {
    @ParameterizedTest
    @CsvSource({"sd3-medium, DENOISER, sd3-medium.transformer", "sd35-medium, DENOISER, sd35-medium.transformer",
        "sd35-large, DENOISER, sd35-large.transformer", "sd35-medium, CLIP_L, clip-l",
        "sd35-medium, CLIP_G, clip-g", "sd35-medium, T5, t5-xxl", "sd35-medium, VAE, vae"})
    void isOfThePublishedShapes(String kind, Component component, String manifest) {
        JsonNode published = TestData.json(TestData.reference().resolve("manifests/" + manifest + ".json"));
        ObjectNode config = assertPublished(kind, component, published);
        assertThat(config.size()).isGreaterThanOrEqualTo(published.get("config").size() - 2);
    }

    @ParameterizedTest
    @CsvSource({"sdxl, DENOISER, sdxl-base.unet", "sdxl, CLIP_L, sdxl.text_encoder",
        "sdxl, CLIP_G, sdxl.text_encoder_2", "sdxl, VAE, sdxl.vae",
        "sdxl-refiner, DENOISER, sdxl-refiner.unet", "sdxl-refiner, CLIP_G, sdxl.text_encoder_2"})
    void sdxlIsOfThePublishedShapes(String kind, Component component, String manifest) {
        assertPublished(kind, component,
                TestData.json(TestData.reference().resolve("sdxl/manifests/" + manifest + ".json")));
    }

    @ParameterizedTest
    @CsvSource({"DENOISER, transformer", "T5, pile-t5-xl", "VAE, vae"})
    void auraFlowIsOfThePublishedShapes(Component component, String manifest) {
        assertPublished("auraflow", component,
                TestData.json(TestData.reference().resolve("auraflow/manifests/" + manifest + ".json")));
    }

    @ParameterizedTest
    @CsvSource({"DENOISER, transformer-1024", "T5, t5-xxl", "VAE, vae"})
    void pixartIsOfThePublishedShapes(Component component, String manifest) {
        assertPublished("pixart-sigma", component,
                TestData.json(TestData.reference().resolve("pixart/manifests/" + manifest + ".json")));
    }

    @CsvSource({"flux-dev, DENOISER, dev.transformer", "flux-schnell, DENOISER, schnell.transformer",
        "flux-dev, CLIP_L, clip-l", "flux-dev, T5, t5-xxl", "flux-dev, VAE, vae"})
    void fluxIsOfThePublishedShapes(String kind, Component component, String manifest) {
        assertPublished(kind, component,
                TestData.json(TestData.reference().resolve("flux/manifests/" + manifest + ".json")));
    }

    private static ObjectNode assertPublished(String kind, Component component, JsonNode published) {
        Map<String, String> wanted = new TreeMap<>();
        published.get("tensors").properties().forEach(tensor ->
                wanted.put(tensor.getKey(), tensor.getValue().toString().replace(",", ", ")));
        Map<String, String> made = new TreeMap<>();
        SyntheticModel model = Families.synthetic(kind).full();
        model.tensors(component, 1, DType.BF16).forEach(tensor -> made.put(tensor.name(), tensor.shape().toString()));
        assertThat(made).isEqualTo(wanted);
        ObjectNode config = model.config(component);
        published.get("config").properties().forEach(entry -> {
            if (config.has(entry.getKey())) {
                assertThat(config.get(entry.getKey()).asText()).as(entry.getKey()).isEqualTo(entry.getValue().asText());
            }
        });
        return config;
    }

    private static byte[] bytes(Outgoing tensor) {
        Stored.Plain plain = (Stored.Plain) tensor.stored();
        byte[] bytes = new byte[(int) plain.byteSize()];
        plain.bytes().readAll(MemorySegment.ofArray(bytes));
        return bytes;
    }

    @Test
    void theSameSeedGivesTheSameBytesInAnyPieces() {
        SyntheticModel model = Families.synthetic("sd35-medium").tiny(new SyntheticModel.Vocabularies(50, 51, 52));
        for (Component component : Component.values()) {
            var one = model.tensors(component, 7, DType.F32);
            var two = model.tensors(component, 7, DType.F32);
            var other = model.tensors(component, 8, DType.F32);
            for (int i = 0; i < one.size(); i++) {
                byte[] bytes = bytes(one.get(i));
                assertThat(bytes).isEqualTo(bytes(two.get(i)));
                if (!one.get(i).name().equals("pos_embed.pos_embed")) {
                    assertThat(bytes).isNotEqualTo(bytes(other.get(i)));
                }
                float[] all = new float[(int) one.get(i).shape().size()];
                one.get(i).elements().read(0, all.length, all, 0);
                int from = all.length / 3;
                int n = Math.min(17, all.length - from);
                float[] some = new float[n + 2];
                one.get(i).elements().read(from, n, some, 1);
                assertThat(Arrays.copyOfRange(some, 1, n + 1)).isEqualTo(Arrays.copyOfRange(all, from, from + n));
            }
        }
    }

    @Test
    void numbersAreNormal() {
        int n = 1 << 20;
        float[] values = new float[n];
        new NormalNumbers(3, "a").fill(0, n, 0, 1, values, 0);
        double mean = 0;
        double square = 0;
        double fourth = 0;
        int inOne = 0;
        for (float v : values) {
            mean += v;
            square += (double) v * v;
            fourth += (double) v * v * v * v;
            inOne += Math.abs(v) < 1 ? 1 : 0;
        }
        // Four standard errors of each, and what 4096 quantiles cut off the tails.
        assertThat(mean / n).isCloseTo(0, within(4 / Math.sqrt(n)));
        assertThat(square / n).isCloseTo(1, within(4 * Math.sqrt(2.0 / n) + 0.002));
        assertThat(fourth / n).isCloseTo(3, within(4 * Math.sqrt(96.0 / n) + 0.05));
        assertThat((double) inOne / n).isCloseTo(0.6827, within(0.003));
        float[] other = new float[n];
        new NormalNumbers(3, "b").fill(0, n, 0, 1, other, 0);
        double product = 0;
        for (int i = 0; i < n; i++) {
            product += (double) values[i] * other[i];
        }
        assertThat(product / n).isCloseTo(0, within(4 / Math.sqrt(n)));
    }
}
