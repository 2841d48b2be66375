package jdiffusion.model.sdxl;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.OpenClipNames;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Names of the published single file and those of the published folders are the same tensors. */
class UnetNamesTest {
    private static final UnetNames NAMES = new UnetNames();

    private static Map<String, String> published(String manifest) {
        JsonNode tensors = TestData.json(TestData.reference().resolve("sdxl/manifests").resolve(manifest + ".json"))
                .get("tensors");
        Map<String, String> shapes = new TreeMap<>();
        tensors.properties().forEach(tensor -> shapes.put(tensor.getKey(), tensor.getValue().toString()));
        return shapes;
    }

    private static Map<String, String> singleFile(String prefix) {
        Map<String, String> part = new TreeMap<>();
        published("sdxl-base.single_file").forEach((name, shape) -> {
            if (name.startsWith(prefix)) {
                part.put(name.substring(prefix.length()), shape);
            }
        });
        return part;
    }

    private static Set<String> originals(Collection<Mapped> all) {
        return all.stream().map(Mapped::original).collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void thePublishedSingleFileIsThePublishedUnet() {
        Map<String, String> single = singleFile("model.diffusion_model.");
        Map<String, String> renamed = new TreeMap<>();
        for (Mapped mapped : NAMES.fromOriginal(single.keySet())) {
            assertThat(mapped.form()).isEqualTo(Mapped.Form.PLAIN);
            renamed.put(mapped.names().getFirst(), single.get(mapped.original()));
        }
        Map<String, String> folder = published("sdxl-base.unet");
        assertThat(renamed).hasSize(1680).isEqualTo(folder);
        assertThat(originals(NAMES.toOriginal(folder.keySet()))).isEqualTo(single.keySet());
    }

    /** Its single file has no manifest: names of blocks as the published code numbers them. */
    @Test
    void theRefiner() {
        Set<String> names = published("sdxl-refiner.unet").keySet();
        List<Mapped> all = NAMES.toOriginal(names);
        assertThat(all).contains(
                Mapped.plain("input_blocks.2.0.emb_layers.1.weight", "down_blocks.0.resnets.1.time_emb_proj.weight"),
                Mapped.plain("input_blocks.9.0.op.bias", "down_blocks.2.downsamplers.0.conv.bias"),
                Mapped.plain("input_blocks.11.0.out_layers.3.weight", "down_blocks.3.resnets.1.conv2.weight"),
                Mapped.plain("output_blocks.2.1.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"),
                Mapped.plain("output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight"),
                Mapped.plain("output_blocks.8.1.transformer_blocks.3.attn2.to_k.weight",
                        "up_blocks.2.attentions.2.transformer_blocks.3.attn2.to_k.weight"),
                Mapped.plain("output_blocks.11.0.skip_connection.bias", "up_blocks.3.resnets.2.conv_shortcut.bias"));
        assertThereAndBack(NAMES, names);
        assertThat(originals(all)).noneMatch(name -> name.contains("resnets") || name.contains("attentions"));
    }

    /** A UNet of any depth, with transformers at any levels. */
    @ParameterizedTest
    @CsvSource({"0, 1", "01, 2", "011, 1", "0110, 3", "111, 1", "100, 2"})
    void thereAndBack(String attention, int layers) {
        Set<String> names = new TreeSet<>(Set.of("conv_in.weight", "conv_out.bias", "time_embedding.linear_2.bias",
                "add_embedding.linear_1.weight", "mid_block.attentions.0.proj_in.weight",
                "mid_block.resnets.1.conv1.weight"));
        int levels = attention.length();
        for (int i = 0; i < levels; i++) {
            level(names, "down_blocks." + i, layers, attention.charAt(i) == '1');
            level(names, "up_blocks." + i, layers + 1, attention.charAt(levels - 1 - i) == '1');
            if (i < levels - 1) {
                names.add("down_blocks." + i + ".downsamplers.0.conv.weight");
                names.add("up_blocks." + i + ".upsamplers.0.conv.weight");
            }
        }
        assertThereAndBack(NAMES, names);
    }

    private static void level(Set<String> names, String level, int layers, boolean attention) {
        for (int j = 0; j < layers; j++) {
            for (String part : List.of("norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut")) {
                names.add(level + ".resnets." + j + "." + part + ".weight");
            }
            if (attention) {
                names.add(level + ".attentions." + j + ".norm.bias");
                names.add(level + ".attentions." + j + ".transformer_blocks.0.attn1.to_q.weight");
            }
        }
    }

    private static void assertThereAndBack(Naming naming, Set<String> names) {
        List<Mapped> all = naming.toOriginal(names);
        assertThat(all).extracting(Mapped::original).doesNotHaveDuplicates();
        assertThat(all.stream().flatMap(mapped -> mapped.names().stream()))
                .containsExactlyInAnyOrderElementsOf(names);
        assertThat(all).noneMatch(Mapped::same);
        assertThat(naming.fromOriginal(originals(all))).containsExactlyInAnyOrderElementsOf(all);
    }

    /** Names that only look like known ones stay as they are, and so are reported in the end. */
    @ParameterizedTest
    @ValueSource(strings = {"input_blocks.1.0.in_layers.1.weight", "output_blocks.0.3.conv.weight", "out.1.weight",
        "middle_block.3.in_layers.0.weight", "input_blocks.5.0.in_layers.0.weight", "input_blocks.0.1.weight",
        "time_embed.0", "input_blocks..0.op.weight", "."})
    void strangers(String name) {
        assertThat(NAMES.fromOriginal(List.of(name))).containsExactly(Mapped.plain(name, name));
    }

    @Test
    void thePublishedSingleFilesEncodersAndVae() {
        assertParts("CLIP", new ClipNames(), "conditioner.embedders.0.transformer.",
                "sdxl.text_encoder");
        assertParts("OpenCLIP", OpenClipNames.NAMES, "conditioner.embedders.1.model.", "sdxl.text_encoder_2");
        assertParts("VAE", new LdmVaeNames(), "first_stage_model.", "sdxl.vae");
    }

    private static void assertParts(String label, Naming naming, String prefix, String folder) {
        Set<String> single = singleFile(prefix).keySet();
        Set<String> names = published(folder).keySet();
        assertThat(naming.fromOriginal(single).stream().flatMap(mapped -> mapped.names().stream())).as(label)
                .containsExactlyInAnyOrderElementsOf(names);
        assertThat(originals(naming.toOriginal(names))).as(label).isEqualTo(single);
    }
}
