package jdiffusion.model.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Graphs as ComfyUI saves them. */
class ComfyUiTest {
    private static final String ENDS = """
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd3/sd3.5_medium.safetensors"}},
            "5": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 64, "height": 96, "batch_size": 1}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red circle", "clip": ["4", 1]}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
            "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
            "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"},
            "is_changed": [NaN]}
            """;
    private static final String SAMPLER = """
            "3": {"class_type": "KSampler", "inputs": {"seed": 18446744073709551615, "steps": 4, "cfg": 4.5,
            "sampler_name": "dpmpp_2m", "scheduler": "sgm_uniform", "denoise": 1.0, "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0], "model": ["4", 0]}},""";

    private static final String WORKFLOW = """
                {"nodes": [
                {"id": 3, "type": "KSampler", "mode": 0, "inputs": [{"name": "model", "type": "MODEL", "link": 1},
                {"name": "positive", "link": 4}, {"name": "negative", "link": 6}, {"name": "latent_image", "link": 2}],
                "widgets_values": [18446744073709551615, "fixed", 4, 4.5, "dpmpp_2m", "sgm_uniform", 1]},
                {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd3.5_medium.safetensors"]},
                {"id": 5, "type": "EmptyLatentImage", "widgets_values": [64, 96, 1]},
                {"id": 6, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 3}],
                "widgets_values": ["a red circle"]},
                {"id": 7, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 5}],
                "widgets_values": ["blurry"]}],
                "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [3, 4, 1, 6, 0, "CLIP"],
                [4, 6, 0, 3, 1, "CONDITIONING"], [5, 4, 1, 7, 0, "CLIP"], [6, 7, 0, 3, 2, "CONDITIONING"]],
                "version": 0.4}""";

    private static FoundSettings read(String keyword, String json) {
        return ComfyUi.read(new PictureTexts(Path.of("a.png"), Map.of(keyword, json), null));
    }

    private static FoundSettings graph(String... nodes) {
        return read("prompt", "{" + String.join("", nodes) + ENDS + "}");
    }

    private static void check(FoundSettings found) {
        assertThat(found.prompt()).isEqualTo("a red circle");
        assertThat(found.negativePrompt()).isEqualTo("blurry");
        assertThat(found.steps()).isEqualTo(4);
        assertThat(found.guidance()).isEqualTo(4.5f);
        assertThat(found.seed()).isEqualTo(-1L);
        assertThat(found.width()).isEqualTo(64);
        assertThat(found.height()).isEqualTo(96);
        assertThat(found.sampler()).isEqualTo(Sampler.Kind.DPMPP_2M);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.SGM_UNIFORM);
        assertThat(found.hasInit()).isFalse();
        assertThat(found.model()).isEqualTo("sd3.5_medium");
    }

    @Test
    void plain() {
        check(graph(SAMPLER));
        assertThat(graph(SAMPLER).notes()).isEmpty();
    }

    @Test
    void advanced() {
        FoundSettings found = graph(SAMPLER.replace("KSampler", "KSamplerAdvanced")
                .replace("\"seed\"", "\"noise_seed\"").replace("\"denoise\": 1.0", "\"start_at_step\": 2, \"end_at_step\": 10000"));
        check(found);
        assertThat(found.notes()).singleElement().asString().contains("began at step 2");
    }

    @Test
    void samplerOfParts() {
        String rest = """
                "20": {"class_type": "RandomNoise", "inputs": {"noise_seed": 18446744073709551615}},
                "21": {"class_type": "CFGGuider", "inputs": {"model": ["4", 0], "positive": ["6", 0],
                "negative": ["7", 0],
                "cfg": 4.5}},
                "22": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}},
                "23": {"class_type": "BasicScheduler", "inputs": {"scheduler": "sgm_uniform", "steps": 4, "denoise": 1,
                "model": ["4", 0]}},""";
        check(graph("""
                "3": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["20", 0], "guider": ["21", 0],
                "sampler": ["22", 0], "sigmas": ["23", 0], "latent_image": ["5", 0]}},""", rest));
        check(graph("""
                "3": {"class_type": "SamplerCustom", "inputs": {"noise_seed": 18446744073709551615, "cfg": 4.5,
                "positive": ["6", 0], "negative": ["7", 0], "sampler": ["22", 0], "sigmas": ["23", 0],
                "model": ["4", 0], "latent_image": ["5", 0]}},""", rest));
    }

    /** Texts, numbers and the model come through other nodes. */
    @Test
    void links() {
        FoundSettings found = graph(SAMPLER.replace("[\"6\", 0]", "[\"30\", 0]").replace("[\"7\", 0]", "[\"33\", 1]")
                .replace("\"steps\": 4", "\"steps\": [\"32\", 0]").replace("[\"4\", 0]", "[\"34\", 0]"), """
                "30": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["31", 0]}},
                "31": {"class_type": "CLIPTextEncodeSD3", "inputs": {"clip_l": ["36", 0], "clip_g": ["36", 0], "t5xxl":
                ["36", 0], "clip": ["4", 1]}},
                "32": {"class_type": "PrimitiveInt", "inputs": {"value": 4}},
                "33": {"class_type": "ControlNetApplyAdvanced", "inputs": {"positive": ["6", 0], "negative": ["7", 0],
                "strength": 1, "image": ["1", 0]}},
                "34": {"class_type": "LoraLoader", "inputs": {"lora_name": "ink.safetensors", "strength_model": 0.8,
                "strength_clip": 1, "model": ["35", 0], "clip": ["4", 1]}},
                "35": {"class_type": "ModelSamplingSD3", "inputs": {"shift": 3.0, "model": ["4", 0]}},
                "36": {"class_type": "StringConstant", "inputs": {"string": "a red circle"}},""");
        assertThat(found.prompt()).isEqualTo("a red circle <lora:ink:0.8>");
        assertThat(found.negativePrompt()).isEqualTo("blurry");
        assertThat(found.steps()).isEqualTo(4);
        assertThat(found.shift()).isEqualTo(3);
        assertThat(found.model()).isEqualTo("sd3.5_medium");
        assertThat(found.more()).containsKey("ControlNet");
    }

    /** Identifiers of nodes that stand in subgraphs have colons; the graph as it is shown has a node for each. */
    @Test
    void subgraphs() {
        check(read("prompt", "{" + (SAMPLER + ENDS).replaceAll("\"([3-9])\"(?=[:,])", "\"12:$1\"") + "}"));
        String inner = WORKFLOW.replace("\"links\": [[", "\"inputs\": [{\"name\": \"clip\"}, {\"name\": \"text\"}],"
                + " \"outputs\": [{\"name\": \"LATENT\"}], \"links\": [[").replaceAll(
                "\\[(\\d), (\\d), (\\d), (\\d), (\\d), \"\\w+\"]", "{\"id\": $1, \"origin_id\": $2, \"origin_slot\":"
                + " $3, \"target_id\": $4, \"target_slot\": $5}");
        inner = inner.replace("\"origin_id\": 4, \"origin_slot\": 1", "\"origin_id\": -10, \"origin_slot\": 0")
                .replace("\"id\": 6, \"type\": \"CLIPTextEncode\", \"inputs\": [", "\"id\": 6, \"type\":"
                + " \"CLIPTextEncode\", \"inputs\": [{\"name\": \"text\", \"link\": 8}, ")
                .replace("a red circle", "unused").replace("\"links\": [{", "\"links\": [{\"id\": 8, \"origin_id\": -10,"
                + " \"origin_slot\": 1}, {\"id\": 9, \"origin_id\": 3, \"origin_slot\": 0, \"target_id\": -20, \"target_slot\": 0}, {");
        inner = inner.replaceFirst("\\{", "{\"id\": \"a-b\", ")
                .replace("dpmpp_2m\", \"sgm_uniform", "euler\", \"simple");
        check(read("workflow", """
                {"nodes": [{"id": 1, "type": "a-b", "inputs": [{"name": "clip", "link": 1}],
                "properties": {"proxyWidgets": [["-1", "text"], ["3", "sampler_name"], ["3", "scheduler"]]},
                "widgets_values": ["a red circle", "dpmpp_2m", "sgm_uniform"]},
                {"id": 2, "type": "CLIPLoader"}, {"id": 8, "type": "VAEDecode", "inputs": [{"name": "samples",
                "link": 2}]}, {"id": 9, "type": "SaveImage", "inputs": [{"name": "images", "link": 3}]}],
                "links": [[1, 2, 0, 1, 0, "CLIP"], [2, 1, 0, 8, 0, "LATENT"], [3, 8, 0, 9, 0, "IMAGE"]],
                "definitions": {"subgraphs": [""" + inner + "]}}"));
    }

    /** Ten of the next within each, and nothing in the last; the limit is for a read that never ends. */
    @Test
    @Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void subgraphsOfSubgraphs() {
        int levels = 14;
        String all = IntStream.range(0, levels).mapToObj(level -> "{\"id\": \"g" + level + "\", "
                + (level == levels - 1 ? "\"nodes\": []" : nodes("g" + (level + 1))) + "}")
                .collect(Collectors.joining(", "));
        assertThatThrownBy(() -> read("workflow", "{" + nodes("g0") + ", \"definitions\": {\"subgraphs\": [" + all
                + "]}}")).isInstanceOf(InputException.class).hasMessageContaining("has no nodes that can be read");
    }

    private static String nodes(String type) {
        return "\"nodes\": [" + IntStream.range(0, 10).mapToObj(i -> "{\"id\": " + i + ", \"type\": \"" + type + "\"}")
                .collect(Collectors.joining(", ")) + "]";
    }

    /** SDXL's second encoder has a text of its own, as has FLUX.1's. */
    @Test
    void twoTexts() {
        String node = """
                "30": {"class_type": "CLIPTextEncodeSDXL", "inputs": {"text_l": "ink", "text_g": "a red circle", "clip":
                ["4", 1]}},""";
        String positive = SAMPLER.replace("[\"6\", 0]", "[\"30\", 0]");
        FoundSettings found = graph(positive.replace("[\"7\", 0]", "[\"30\", 0]"), node);
        assertThat(found.prompt()).isEqualTo("ink");
        assertThat(found.negativePrompt()).isEqualTo("ink");
        assertThat(found.more()).containsOnlyKeys("Prompt 2", "Negative prompt 2")
                .containsEntry("Prompt 2", "a red circle");
        assertThat(found.notes()).isEmpty();
        FoundSettings zero = graph(positive.replace("[\"7\", 0]", "[\"31\", 0]"), node, """
                "31": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["30", 0]}},""");
        assertThat(zero.negativePrompt()).isEmpty();
        assertThat(zero.more()).containsOnlyKeys("Prompt 2");
        FoundSettings flux = graph(positive, node.replace("text_l", "clip_l").replace("text_g", "t5xxl"));
        assertThat(flux.prompt()).isEqualTo("ink");
        assertThat(flux.more()).containsEntry("Prompt 2", "a red circle");
        FoundSettings three = graph(positive, node.replace("text_l", "clip_l").replace("text_g", "clip_g"));
        assertThat(three.prompt()).isEqualTo("a red circle");
        assertThat(three.notes()).singleElement().asString().contains("different texts");
    }

    /** Brackets are weights there. */
    @Test
    void weights() {
        String nodes = SAMPLER + ENDS;
        assertThat(read("prompt", "{" + nodes.replace("a red", "a (red:1.3)") + "}").more())
                .containsEntry("Prompt weights", "comfyui");
        assertThat(read("prompt", "{" + nodes + "}").more()).isEmpty();
        assertThat(read("prompt", "{" + nodes.replace("\"text\": \"a red circle\"",
                "\"text_l\": \"a\", \"text_g\": \"(b)\"") + "}").more()).containsKeys("Prompt 2", "Prompt weights");
    }

    /** A graph as Civitai keeps it in JPEG, names with pictures, and LoRA Manager's list. */
    @Test
    void otherForms() {
        FoundSettings found = read("parameters", "{\"resource-stack\": {\"class_type\": \"CheckpointLoaderSimple\","
                + " \"inputs\": {\"ckpt_name\": \"x.safetensors\"}}," + SAMPLER.replace("\"model\": [\"4\", 0]",
                "\"model\": [\"10\", 0]") + ENDS.replace("\"sd3/sd3.5_medium.safetensors\"",
                "{\"content\": \"sd3/sd3.5_medium.safetensors\", \"image\": null}") + """
                , "10": {"class_type": "Lora Loader (LoraManager)", "inputs": {"text": "<lora:ink:0.5>", "model":
                ["4", 0], "loras": {"__value__": [{"name": "ink", "strength": 0.5, "active": true, "clipStrength": 0.5},
                {"name": "oil", "strength": "1", "active": false}]}}},
                "extra": {"airs": []}, "extraMetadata": "{}"}""");
        assertThat(found.prompt()).isEqualTo("a red circle <lora:ink:0.5>");
        assertThat(found.model()).isEqualTo("sd3.5_medium");
        assertThat(found.notes()).isEmpty();
    }

    /** What a distilled network is told, and steps behind nodes that change the noise levels. */
    @ParameterizedTest
    @ValueSource(strings = {
        "{\"class_type\": \"FluxGuidance\", \"inputs\": {\"guidance\": [\"32\", 0], \"conditioning\": [\"6\", 0]}}",
        "{\"class_type\": \"CLIPTextEncodeFlux\", \"inputs\": {\"guidance\": 2.5, \"clip_l\": \"a red circle\","
            + " \"t5xxl\": \"a red circle\", \"clip\": [\"4\", 1]}}"})
    void embeddedGuidance(String node) {
        FoundSettings found = graph("""
                "3": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["25", 0], "guider": ["22", 0],
                "sampler": ["16", 0], "sigmas": ["18", 1], "latent_image": ["5", 0]}},
                "16": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
                "17": {"class_type": "KarrasScheduler", "inputs": {"steps": 4, "sigma_max": 14.6}},
                "18": {"class_type": "SplitSigmas", "inputs": {"sigmas": ["17", 0], "step": 1}},
                "22": {"class_type": "BasicGuider", "inputs": {"model": ["30", 0], "conditioning": ["26", 0]}},
                "25": {"class_type": "RandomNoise", "inputs": {"noise_seed": 7}},
                "30": {"class_type": "ModelSamplingFlux", "inputs": {"max_shift": 1.15, "base_shift": 0.5, "width": 64,
                "height": 96, "model": ["4", 0]}},
                "32": {"class_type": "PrimitiveFloat", "inputs": {"value": 2.5}},
                "26":""", node + ",");
        assertThat(found.prompt()).isEqualTo("a red circle");
        assertThat(found.more()).containsOnlyKeys("Guidance", "SplitSigmas").containsEntry("Guidance", "2.5");
        assertThat(found.steps()).isEqualTo(4);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.KARRAS);
        assertThat(found.guidance()).isEqualTo(1);
        assertThat(found.notes()).isEmpty();
    }

    /** Nothing that made the picture is left out without a word. */
    @Test
    void whatHasNoCounterpart() {
        FoundSettings found = graph(SAMPLER.replace("KSampler", "KSamplerAdvanced").replace("\"denoise\": 1.0",
                "\"add_noise\": \"disable\", \"end_at_step\": 3").replace("[\"5\", 0]", "[\"40\", 0]")
                .replace("[\"4\", 0]", "[\"41\", 0]").replace("[\"6\", 0]", "[\"43\", 0]"), """
                "40": {"class_type": "SizePicker", "inputs": {"resolution": "64x96 (0.67)"}},
                "41": {"class_type": "FreeU_V2", "inputs": {"b1": 1.3, "model": ["42", 0]}},
                "42": {"class_type": "SkipLayerGuidanceSD3", "inputs": {"layers": "7, 8", "scale": 3.0,
                "start_percent": 0.01, "end_percent": 0.15, "model": ["4", 0]}},
                "43": {"class_type": "ConditioningSetArea", "inputs": {"width": 8, "conditioning": ["6", 0]}},""");
        assertThat(found.more()).containsOnlyKeys("FreeU_V2", "ConditioningSetArea", "Skip layers", "SLG scale",
                "Skip layer start", "Skip layer end").containsEntry("Skip layers", "7, 8")
                .containsEntry("SLG scale", "3");
        assertThat(found.notes()).hasSize(3).anyMatch(note -> note.contains("ended at step 3 of 4"))
                .anyMatch(note -> note.contains("without noise of its own"))
                .anyMatch(note -> note.contains("size of a.png comes from a node that is not read, 'SizePicker'"));
        FoundSettings empty = read("prompt", "{" + SAMPLER.replace("1.0", "0.8") + ENDS + "}");
        assertThat(empty.notes()).singleElement().asString().contains("from nothing with the strength 0.8");
        FoundSettings levels = graph("""
                "3": {"class_type": "SamplerCustom", "inputs": {"noise_seed": 1, "cfg": 4.5, "positive": ["6", 0],
                "negative": ["7", 0], "sampler": ["22", 0], "sigmas": ["23", 0], "latent_image": ["5", 0]}},
                "22": {"class_type": "SamplerEulerAncestral", "inputs": {"eta": 0.5, "s_noise": 1.0}},
                "10": {"class_type": "SaveImage", "inputs": {"images": ["11", 0]}},
                "11": {"class_type": "UltimateSDUpscale", "inputs": {"image": ["8", 0], "sampler_name": "euler",
                "positive": ["6", 0]}},
                "23": {"class_type": "Mystery", "inputs": {"x": 1}},""");
        assertThat(levels.notes()).singleElement().asString().contains("noise levels", "'Mystery'");
        assertThat(levels.sampler()).isEqualTo(Sampler.Kind.EULER_ANCESTRAL);
        assertThat(levels.more()).containsOnlyKeys("Eta", "UltimateSDUpscale").containsEntry("Eta", "0.5");
    }

    /** Layers of CLIP, what SDXL is told of the picture, texts that are put together, a LoRA's two weights. */
    @Test
    void encoders() {
        FoundSettings found = graph(SAMPLER.replace("[\"6\", 0]", "[\"31\", 0]").replace("[\"4\", 0]", "[\"34\", 0]"),
                """
                "31": {"class_type": "CLIPTextEncodeSDXL", "inputs": {"width": 4096, "height": 2048, "crop_w": 8,
                "crop_h": 16, "target_width": 1024, "target_height": 512, "text_g": ["33", 0], "text_l": ["33", 0],
                "clip": ["32", 0]}},
                "32": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -3, "clip": ["34", 1]}},
                "33": {"class_type": "StringConcatenate", "inputs": {"string_a": "a fox", "string_b": ["35", 0],
                "delimiter": ", "}},
                "34": {"class_type": "LoraLoader", "inputs": {"lora_name": "a\\\\ink.safetensors",
                "strength_model": 0.8, "strength_clip": 0.5, "model": ["4", 0], "clip": ["4", 1]}},
                "35": {"class_type": "PrimitiveString", "inputs": {"value": "in snow"}},""");
        assertThat(found.prompt()).isEqualTo("a fox, in snow <lora:a/ink:0.5:0.8>");
        assertThat(found.more()).containsEntry("Clip skip", "3").containsEntry("Original size", "4096x2048")
                .containsEntry("Crop top left", "16,8").containsEntry("Target size", "1024x512").hasSize(4);
        assertThat(found.notes()).isEmpty();
    }

    /** What decides the picture is refused, what has a default is noted. */
    @Test
    void nodesThatAreNotRead() {
        String mystery = "\"50\": {\"class_type\": \"Mystery\", \"inputs\": {\"x\": 1}},";
        FoundSettings found = graph(SAMPLER.replace("\"sgm_uniform\"", "[\"50\", 0]").replace(" 4.5", " [\"50\", 0]"),
                mystery);
        assertThat(found.schedule()).isNull();
        assertThat(found.guidance()).isNull();
        assertThat(found.notes()).hasSize(2).allMatch(note -> note.contains("'Mystery'; the default is used"));
        assertThatThrownBy(() -> read("prompt", "{" + SAMPLER + mystery
                + ENDS.replace("\"a red circle\"", "[\"50\", 0]") + "}")).isInstanceOf(InputException.class)
                .hasMessageContaining("has a text from a node that is not read, 'Mystery'");
    }

    @Test
    void severalPasses() {
        FoundSettings found = graph("""
                "2": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 9, "cfg": 1, "sampler_name": "euler",
                "scheduler":
                "normal", "denoise": 0.5, "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["1", 0], "model":
                ["4", 0]}},
                "1": {"class_type": "LatentUpscale", "inputs": {"samples": ["3", 0], "width": 999, "height": 999}},
                """, SAMPLER, """
                "10": {"class_type": "SaveImage", "inputs": {"images": ["11", 0]}},
                "11": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0]}},""");
        check(found);
        assertThat(found.notes()).singleElement().asString().contains("in 2 passes; only that of node 3");
    }

    @Test
    void picturesBatchesAndMasks() {
        FoundSettings found = graph(SAMPLER.replace("[\"5\", 0]", "[\"40\", 0]").replace("1.0", "0.55"), """
                "40": {"class_type": "SetLatentNoiseMask", "inputs": {"samples": ["41", 0], "mask": ["42", 1]}},
                "41": {"class_type": "VAEEncode", "inputs": {"pixels": ["42", 0], "vae": ["4", 2]}},
                "42": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},""");
        assertThat(found.strength()).isEqualTo(0.55);
        assertThat(found.hasMask()).isTrue();
        assertThat(read("prompt", "{" + SAMPLER + ENDS.replace("\"batch_size\": 1", "\"batch_size\": 3") + "}").notes())
                .singleElement().asString().contains("one of 3 pictures of one seed");
    }

    /** The graph as it is shown: values by their place, links by number, some through nodes that only hand on. */
    @Test
    void workflow() {
        for (String way : new String[] {"", "Reroute", "GetNode"}) {
            String text = WORKFLOW;
            if (!way.isEmpty()) {
                text = text.replace("[4, 6, 0, 3, 1, \"CONDITIONING\"]", "[4, 8, 0, 3, 1, \"CONDITIONING\"],"
                        + " [7, 6, 0, 9, 0, \"CONDITIONING\"]").replaceFirst("\"nodes\": \\[", "\"nodes\": [{\"id\": 8,"
                        + " \"type\": \"" + way + "\"," + (way.equals("Reroute") ? "\"inputs\": [{\"name\": \"\","
                        + " \"link\": 7}]" : "\"widgets_values\": [\"pos\"]") + "}, {\"id\": 9, \"type\": \"SetNode\","
                        + " \"inputs\": [{\"name\": \"X\", \"link\": 7}], \"widgets_values\": [\"pos\"]},");
            }
            check(read("workflow", text));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"nodes\": []}", "{\"3\": ",
        "{\"3\": {\"class_type\": \"SaveImage\", \"inputs\": {}}}",
        "{\"3\": {\"class_type\": \"KSampler\", \"inputs\": {\"latent_image\": [\"3\", 0], \"sampler_name\": \"euler\","
            + " \"positive\": [\"3\", 0]}}}",
        "{\"3\": {\"class_type\": \"KSampler\", \"inputs\": {\"latent_image\": [\"9\", 0], \"sampler_name\": \"euler\","
            + " \"positive\": [\"4\", 0]}}, \"4\":"
            + " {\"class_type\": \"Mystery\", \"inputs\": {\"conditioning\": [\"4\", 0]}}}"})
    void unreadable(String json) {
        for (String keyword : new String[] {"prompt", "workflow"}) {
            assertThatThrownBy(() -> read(keyword, json)).isInstanceOf(InputException.class)
                    .hasMessageStartingWith("a.png: ComfyUI's graph ")
                    .hasMessageContaining("as options instead of --from");
        }
    }

    @Test
    void plainTextsOfThatNameAreOfOthers() {
        assertThat(read("prompt", "a cat")).isNull();
    }
}
