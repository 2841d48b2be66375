package jdiffusion.model.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Pictures;
import jdiffusion.model.image.Png;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Settings of every tool, in the forms that its own code writes. */
class SettingsReaderTest {
    private static final String INVOKE = """
            {"app_version": "5.6.0", "generation_mode": "sd3_txt2img", "positive_prompt": "a red circle",
            "negative_prompt": null, "width": 64, "height": 96, "seed": 4294967295, "rand_device": "cpu",
            "cfg_scale": 4.5, "steps": 4, "scheduler": "dpmpp_2m_k", "model": {"key": "x", "name": "sd3.5 medium"},
            "loras": [{"model": {"key": "y", "name": "ink"}, "weight": 0.75}], "vae": null, "clip_skip": 0}""";
    private static final String FOOOCUS = """
            {"prompt": "a red circle", "negative_prompt": "blurry", "styles": "['Fooocus V2']", "steps": 4,
            "performance": "Speed", "resolution": "(64, 96)", "guidance_scale": 4.5,
            "base_model": "juggernautXL.safetensors",
            "sampler": "dpmpp_2m", "scheduler": "karras", "seed": "1234567890123456789",
            "lora_combined_1": "ink.safetensors : 0.5",
            "lora_combined_2": "False : off.safetensors : 1", "metadata_scheme": "fooocus",
            "version": "Fooocus v2.5.5"}""";
    private static final String NOVEL = """
            {"prompt": "{a red circle}", "steps": 28, "height": 96, "width": 64, "scale": 5.0, "seed": 7,
            "n_samples": 1,
            "noise_schedule": "karras", "sampler": "k_euler", "uc": "blurry",
            "request_type": "PromptGenerateRequest"}""";

    @TempDir
    private Path folder;

    private Path png(String... texts) throws IOException {
        Map<String, String> all = new LinkedHashMap<>();
        for (int i = 0; i < texts.length; i += 2) {
            all.put(texts[i], texts[i + 1]);
        }
        Path file = folder.resolve("a.png");
        Png.write(new Picture(1, 1, new byte[3]), all, file);
        return file;
    }

    private FoundSettings read(String... texts) throws IOException {
        return SettingsReader.read(png(texts));
    }

    private void refused(String message, String... texts) throws IOException {
        Path file = png(texts);
        assertThatThrownBy(() -> SettingsReader.read(file)).isInstanceOf(InputException.class).message()
                .startsWith(file + ": ").contains(message).doesNotContain("\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"swarmui.png", "comfyui.png"})
    void otherToolsFiles(String name) {
        FoundSettings found = SettingsReader.read(Pictures.file("settings/" + name));
        assertThat(found.prompt()).isEqualTo("a red circle");
        assertThat(found.negativePrompt()).isEqualTo("blurry");
        assertThat(found.seed()).isEqualTo(5);
        assertThat(found.steps()).isEqualTo(4);
        assertThat(found.guidance()).isEqualTo(4.5f);
        assertThat(found.width()).isEqualTo(64);
        assertThat(found.height()).isEqualTo(96);
        assertThat(found.sampler()).isEqualTo(Sampler.Kind.EULER);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.NORMAL);
        assertThat(found.hasInit()).isFalse();
        assertThat(found.tool()).startsWith(name.startsWith("s") ? "SwarmUI 0.9.3" : "ComfyUI");
        assertThat(found.notes()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"utf8_text.png,a small café with a 猫 sign", "utf8_itxt.png,a small café with a 猫 sign",
        "latin1_text.png,a small café with a red sign"})
    void characters(String name, String prompt) {
        FoundSettings found = SettingsReader.read(Pictures.file("settings/" + name));
        assertThat(found.prompt()).startsWith("a small café with a ");
        assertThat(found.prompt()).isEqualTo(name.startsWith("utf8")
                ? SettingsReader.read(Pictures.file("settings/utf8_itxt.png")).prompt() : prompt);
        assertThat(found.seed()).isEqualTo(5);
    }

    /** A text for each setting, or all as JSON, with the names of requests or those that are shown. */
    @Test
    void easyDiffusion() throws IOException {
        FoundSettings found = read("prompt", "a red circle", "negative_prompt", "blurry", "seed", "5",
                "use_stable_diffusion_model", "sd_xl_base_1.0", "clip_skip", "False", "use_vae_model", "None",
                "sampler_name", "euler_a", "width", "64", "height", "96", "num_inference_steps", "4",
                "guidance_scale", "4.5", "use_lora_model", "['ink', 'oil']", "lora_alpha", "[0.5, 1.0]", "tiling",
                "None");
        assertThat(found.tool()).isEqualTo("Easy Diffusion");
        assertThat(found.prompt()).isEqualTo("a red circle <lora:ink:0.5> <lora:oil:1.0>");
        assertThat(found.negativePrompt()).isEqualTo("blurry");
        assertThat(found.seed()).isEqualTo(5);
        assertThat(found.sampler()).isEqualTo(Sampler.Kind.EULER_ANCESTRAL);
        assertThat(found.width()).isEqualTo(64);
        assertThat(found.model()).isEqualTo("sd_xl_base_1.0");
        assertThat(found.more()).isEmpty();
        assertThat(found.notes()).isEmpty();
        FoundSettings json = read("parameters", """
                {"Prompt": "{a} red circle", "Seed": 5, "Stable Diffusion model": "x", "Sampler": "ddim", "Width": 64,
                "Height": 96, "Steps": 4, "Guidance Scale": 4.5, "LoRA model": "ink", "LoRA Strength": 0.5,
                "Prompt Strength": 0.8, "Use Upscaling": "RealESRGAN_x4plus"}""");
        assertThat(json.prompt()).isEqualTo("{a} red circle <lora:ink:0.5>");
        assertThat(json.steps()).isEqualTo(4);
        assertThat(json.strength()).isEqualTo(0.8);
        assertThat(json.more()).containsOnlyKeys("Use Upscaling");
    }

    /** What brackets in the prompts of another program mean is taken over, or said. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', value = {"a (red:1.3) circle; Version: v1.10.1; a1111; 0",
        "a red circle; Version: v1.10.1; ; 0", "a (red:1.3) circle; Version: v1.10.1, Emphasis: None; ; 0",
        "a (red:1.3) circle; Version: jdiffusion 1; ; 0", "a [red:blue:0.5] circle; Version: f2.0.1; a1111; 1",
        "a [red|blue] circle; Model: x; a1111; 1", "a red circle AND a dog; Model: x; ; 1"})
    void weights(String prompt, String more, String weights, int notes) throws IOException {
        FoundSettings found = read("parameters", prompt + "\nSteps: 4, Sampler: Euler, Seed: 1, Size: 64x64, " + more);
        assertThat(found.more().get("Prompt weights")).isEqualTo(weights);
        assertThat(found.notes()).hasSize(notes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"(red)1.2 circle", "red++ circle", "(a red circle)--"})
    void weightsOfInvokeAi(String prompt) throws IOException {
        assertThat(read("invokeai_metadata", INVOKE.replace("a red circle", prompt)).notes()).singleElement().asString()
                .contains("weights of InvokeAI's form");
    }

    @Test
    void secondTextOfInvokeAi() throws IOException {
        FoundSettings found = read("invokeai_metadata", INVOKE.replace("\"width\"", "\"positive_style_prompt\": \"ink\","
                + " \"negative_style_prompt\": \"\", \"width\""));
        assertThat(found.more()).containsEntry("Prompt 2", "ink").doesNotContainKeys("Negative prompt 2",
                "positive_style_prompt", "negative_style_prompt");
    }

    /** Civitai writes FLUX.1's guidance as if it were a classifier-free one. */
    @Test
    void guidanceOfFlux() throws IOException {
        String text = "a\nSteps: 4, Sampler: Euler, CFG scale: 3.5, Seed: 1, Size: 64x64, Civitai resources:"
                + " [{\"type\":\"checkpoint\",\"modelName\":\"FLUX\",\"modelVersionName\":\"Dev\"}]";
        assertThat(read("parameters", text).guidance()).isEqualTo(1);
        assertThat(read("parameters", text).more()).containsEntry("Guidance", "3.5");
        assertThat(read("parameters", text.replace("FLUX", "Juggernaut XL")).guidance()).isEqualTo(3.5f);
    }

    @ParameterizedTest
    @CsvSource({"Uniform,NORMAL", "DDIM,DDIM_UNIFORM", "Polyexponential,EXPONENTIAL", "SGM Uniform,SGM_UNIFORM"})
    void namesOfSchedules(String name, SigmaSchedule schedule) throws IOException {
        FoundSettings found = read("parameters", "a\nSteps: 4, Seed: 1, Sampler: Euler, Schedule type: " + name);
        assertThat(found.schedule()).isEqualTo(schedule);
        assertThat(found.notes()).isEmpty();
    }

    @Test
    void swarm() throws IOException {
        FoundSettings found = read("parameters", """
                {"sui_image_params": {"prompt": "a", "model": "Official/sd_xl_base_1.0.safetensors",
                "seed": "18446744073709551615",
                "steps": 20, "cfgscale": 7.0, "width": 1024, "height": 768, "comfyuisampler": "dpmpp_2m",
                "scheduler": "ltx2",
                "loras": ["ink", "style/oil"], "loraweights": ["0.5", "1"], "initimagecreativity": 0.6,
                "refinersteps": 40, "fluxguidancescale": 2.5, "clipstopatlayer": -2,
                "swarm_version": "0.9.6"}, "sui_extra_data": {"date": "2025-01-25"}}""");
        assertThat(found.prompt()).isEqualTo("a <lora:ink:0.5> <lora:style/oil:1>");
        assertThat(found.model()).isEqualTo("sd_xl_base_1.0");
        assertThat(found.seed()).isEqualTo(-1L);
        assertThat(found.sampler()).isEqualTo(Sampler.Kind.DPMPP_2M);
        assertThat(found.schedule()).isNull();
        assertThat(found.hasInit()).isTrue();
        assertThat(found.strength()).isEqualTo(0.6);
        assertThat(found.more()).containsOnlyKeys("refinersteps", "Guidance", "Clip skip")
                .containsEntry("Guidance", "2.5").containsEntry("Clip skip", "2");
        assertThat(found.notes()).singleElement().asString().contains("the schedule 'ltx2'",
                "the default is used");
        assertThat(read("parameters", "{\"sui_image_params\": {\"prompt\": \"a\", \"seed\": -1, \"loras\": \"x,y\"}}")
                .notes()).singleElement().asString().contains("the seed of", "is -1");
        refused("'Steps' is 'many', not a whole number", "parameters",
                "{\"sui_image_params\": {\"steps\": \"many\"}}");
        refused("'Seed' is '18446744073709551616', not below 2^64", "parameters",
                "{\"sui_image_params\": {\"seed\": 18446744073709551616}}");
        refused("'Width' is '0', not 1 or more", "parameters", "{\"sui_image_params\": {\"width\": 0}}");
        refused("'Steps' is '1E+999999999", "parameters", "{\"sui_image_params\": {\"steps\": \"1E+999999999\"}}");
    }

    @Test
    void invoke() throws IOException {
        FoundSettings found = read("invokeai_metadata", INVOKE, "invokeai_graph", "{}");
        assertThat(found.tool()).isEqualTo("InvokeAI 5.6.0");
        assertThat(found.prompt()).isEqualTo("a red circle <lora:ink:0.75>");
        assertThat(found.negativePrompt()).isEmpty();
        assertThat(found.seed()).isEqualTo(4294967295L);
        assertThat(found.sampler()).isEqualTo(Sampler.Kind.DPMPP_2M);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.KARRAS);
        assertThat(found.model()).isEqualTo("sd3.5 medium");
        assertThat(found.hasInit()).isFalse();
        assertThat(found.more()).containsOnlyKeys("rand_device", "clip_skip");

        assertThat(read("invokeai_metadata", INVOKE.replace("\"cfg_scale\": 4.5", "\"guidance\": 2.5")).more())
                .containsEntry("Guidance", "2.5");
        FoundSettings inpainted = read("invokeai_metadata", INVOKE.replace("txt2img", "inpaint"));
        assertThat(inpainted.hasInit()).isTrue();
        assertThat(inpainted.hasMask()).isTrue();

        FoundSettings old = read("sd-metadata", "{\"model_weights\": \"sd-1.5\", \"image\": {\"prompt\": [{\"prompt\":"
                + " \"a cat [blurry]\", \"weight\": 1}], \"steps\": 9, \"cfg_scale\": 7.5, \"sampler\": \"k_heun\","
                + " \"seed\": 3, \"width\": 64, \"height\": 64}}");
        assertThat(old.prompt()).isEqualTo("a cat");
        assertThat(old.negativePrompt()).isEqualTo("blurry");
        assertThat(old.sampler()).isEqualTo(Sampler.Kind.HEUN);
        assertThat(old.steps()).isEqualTo(9);
        refused("InvokeAI's settings", "invokeai_metadata", "{\"steps\": ");
    }

    @Test
    void fooocus() throws IOException {
        FoundSettings found = read("parameters", FOOOCUS, "fooocus_scheme", "fooocus");
        assertThat(found.tool()).isEqualTo("Fooocus v2.5.5");
        assertThat(found.prompt()).isEqualTo("a red circle <lora:ink:0.5>");
        assertThat(found.seed()).isEqualTo(1234567890123456789L);
        assertThat(found.width()).isEqualTo(64);
        assertThat(found.height()).isEqualTo(96);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.KARRAS);
        assertThat(found.model()).isEqualTo("juggernautXL");
        assertThat(found.more()).containsOnlyKeys("styles", "performance", "metadata_scheme");
        assertThat(read("parameters", FOOOCUS).prompt()).isEqualTo(found.prompt());

        FoundSettings text = read("parameters", "a red circle\nNegative prompt: blurry\nSteps: 4, Sampler: DPM++ 2M"
                + " Karras, Scheduler: karras, CFG scale: 4.5, Seed: 5, Size: 64x96, Version: Fooocus v2.5.5",
                "fooocus_scheme", "a1111");
        assertThat(text.schedule()).isEqualTo(SigmaSchedule.KARRAS);
        assertThat(text.sampler()).isEqualTo(Sampler.Kind.DPMPP_2M);
        assertThat(text.tool()).isEqualTo("Fooocus v2.5.5");
    }

    @Test
    void novel() throws IOException {
        FoundSettings found = read("Title", "NovelAI generated image", "Description", "x", "Software", "NovelAI",
                "Source", "NovelAI Diffusion V4", "Comment", NOVEL);
        assertThat(found.prompt()).isEqualTo("{a red circle}");
        assertThat(found.negativePrompt()).isEqualTo("blurry");
        assertThat(found.guidance()).isEqualTo(5);
        assertThat(found.sampler()).isEqualTo(Sampler.Kind.EULER);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.KARRAS);
        assertThat(found.hasInit()).isFalse();
        FoundSettings batch = read("Software", "NovelAI", "Comment", NOVEL
                .replace("\"n_samples\": 1", "\"n_samples\": 4").replace("PromptGenerate", "Img2Img").replace("\"uc\"", "\"strength\": 0.7, \"uc\""));
        assertThat(batch.notes()).hasSize(2).first().asString().contains("one of 4 pictures of one seed");
        assertThat(batch.notes().getLast()).contains("weights of NovelAI's form");
        assertThat(batch.strength()).isEqualTo(0.7);
        refused("NovelAI's settings", "Software", "NovelAI", "Comment", "no JSON");
    }

    @Test
    void drawThings() throws IOException {
        String json = """
                {"c": "a &lt;red&gt; circle", "uc": "blurry", "seed": 5, "steps": 4, "scale": 4.5, "size": "64x96",
                "sampler": "DPM++ 2M Karras", "model": "sd_v3.5_medium.ckpt", "strength": 1, "shift": 3,
                "v2": {"guidanceEmbed": 4.5}}"""
                .replace("\"", "&quot;");
        FoundSettings found = read("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF"
                + " xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:exif='http://ns.adobe.com/exif/1.0/'>"
                + "<rdf:Description><exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>" + json
                + "</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>");
        assertThat(found.tool()).isEqualTo("Draw Things");
        assertThat(found.prompt()).isEqualTo("a <red> circle");
        assertThat(found.height()).isEqualTo(96);
        assertThat(found.more()).containsEntry("Guidance", "4.5");
        assertThat(found.shift()).isEqualTo(3);
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.KARRAS);
        refused("carries no settings", "XML:com.adobe.xmp", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
                + "<x><exif:UserComment xmlns:exif='e'>&a;</exif:UserComment></x>");
    }

    @Test
    void webUi() throws IOException {
        FoundSettings found = read("parameters", "\uFEFFa cat,\r\nsecond line\r\nNegative prompt: dog\r\nSteps: 30,"
                + " Sampler: DPM++ 2M SDE Heun, Schedule type: Beta, CFG scale: 4.5, Seed: 965400086, Size: 1024x768,"
                + " Model: sd3.5_medium, Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: \"a, b\", Lora"
                + " hashes: \"x: aa, y: bb\", Extra: {\"a\": [1, 2], \"b\": \"x, y: }\"}, Version: f2.0.1v1.10.1");
        assertThat(found.prompt()).isEqualTo("a cat,\nsecond line");
        assertThat(found.negativePrompt()).isEqualTo("dog");
        assertThat(found.tool()).isEqualTo("f2.0.1v1.10.1");
        assertThat(found.sampler()).isNull();
        assertThat(found.schedule()).isEqualTo(SigmaSchedule.BETA);
        assertThat(found.hasInit()).isFalse();
        assertThat(found.notes()).singleElement().asString().contains("'DPM++ 2M SDE Heun'");
        assertThat(found.more()).containsEntry("Extra", "{\"a\": [1, 2], \"b\": \"x, y: }\"}")
                .containsEntry("Hires upscaler", "a, b").containsEntry("Denoising strength", "0.4");
        assertThat(read("parameters", "a\nSteps: 2, Seed: 1, Denoising strength: 0.5, Mask blur: 4").hasMask())
                .isTrue();
    }

    /** A prompt may begin with a brace; JSON is none, whoever wrote it. */
    @Test
    void braces() throws IOException {
        for (String prompt : new String[] {"{red|blue} cat", "{}", "{\"a\": 1}"}) {
            assertThat(read("parameters", prompt + "\nSteps: 2, Seed: 1, Size: 8x8").prompt()).isEqualTo(prompt);
        }
        refused("JSON of a program that is not known", "parameters", "{\"my_prompt\": \"a cat\"}");
        refused("JSON that is damaged", "parameters", "{\"sui_image_params\": {\"prompt\": \"a cat\", ");
        refused("JSON that is damaged", "parameters", "{".repeat(100_000));
        refused("its texts are named Software, prompt", "Software", "x", "prompt", "a cat");
    }

    @Test
    void severalTexts() throws IOException {
        byte[] png = Files.readAllBytes(png("parameters", "a cat\nSteps: 2, Seed: 1, Size: 8x8"));
        Path file = Files.write(folder.resolve("b.png"), Pictures.withChunk(png, "tEXt",
                "parameters\0a dog\nSteps: 3, Seed: 1, Size: 8x8".getBytes(StandardCharsets.ISO_8859_1), true));
        FoundSettings found = SettingsReader.read(file);
        assertThat(found.prompt()).isEqualTo("a dog");
        assertThat(found.notes()).singleElement().asString().contains("several texts named 'parameters'");
    }

    /** JPEG and WebP files keep the text as the user's comment. */
    @Test
    void exif() throws IOException {
        String text = "a café\nNegative prompt: dog\nSteps: 4, Sampler: Euler, CFG scale: 4.5, Seed: 5, Size: 64x96";
        byte[] jpeg = Files.readAllBytes(Pictures.file("stored/grey.jpg"));
        for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
            for (Charset charset : new Charset[] {StandardCharsets.UTF_16BE, StandardCharsets.UTF_16LE}) {
                byte[] body = text.getBytes(charset);
                byte[] block = Pictures.commented(order, ByteBuffer.allocate(8 + body.length)
                        .put("UNICODE\0".getBytes(StandardCharsets.US_ASCII)).put(body).array());
                for (byte[] file : new byte[][] {Pictures.withExif(jpeg, block), Pictures.webp(block)}) {
                    FoundSettings found = SettingsReader.read(Files.write(folder.resolve("a.jpg"), file));
                    assertThat(found.prompt()).isEqualTo("a café");
                    assertThat(found.seed()).isEqualTo(5);
                }
            }
        }
        byte[] odd = ("UNICODE\0" + new String(text.getBytes(StandardCharsets.UTF_16BE), StandardCharsets.ISO_8859_1)
                + "\0").getBytes(StandardCharsets.ISO_8859_1);
        assertThat(SettingsReader.read(Files.write(folder.resolve("a.jpg"), Pictures.withExif(jpeg,
                Pictures.commented(ByteOrder.BIG_ENDIAN, odd)))).height()).isEqualTo(96);
        for (String comment : new String[] {"parameters\0" + text + "\0", text}) {
            byte[] bytes = comment.getBytes(StandardCharsets.UTF_8);
            FoundSettings found = SettingsReader.read(Files.write(folder.resolve("a.jpg"), ByteBuffer
                    .allocate(jpeg.length + 4 + bytes.length).put(jpeg, 0, 2).putShort((short) 0xfffe)
                    .putShort((short) (2 + bytes.length)).put(bytes).put(jpeg, 2, jpeg.length - 2).array()));
            assertThat(found.prompt()).isEqualTo("a café");
            assertThat(found.height()).isEqualTo(96);
        }
        byte[] swarm = ("ASCII\0\0\0{\"sui_image_params\": {\"prompt\": \"a cat\"}}").getBytes(StandardCharsets.UTF_8);
        assertThat(SettingsReader.read(Files.write(folder.resolve("a.jpg"), Pictures.withExif(jpeg,
                Pictures.commented(ByteOrder.BIG_ENDIAN, swarm)))).tool()).isEqualTo("SwarmUI");
        // As converters make it, with texts of their own.
        byte[] png = Pictures.withChunk(Files.readAllBytes(png("date:create", "2024")), "eXIf",
                Pictures.commented(ByteOrder.BIG_ENDIAN, swarm), false);
        assertThat(SettingsReader.read(Files.write(folder.resolve("a.png"), png)).tool()).isEqualTo("SwarmUI");
        assertThatThrownBy(() -> SettingsReader.read(Pictures.file("stored/grey.jpg")))
                .isInstanceOf(InputException.class).hasMessageContaining("carries no settings");
    }

    /** Any value in place of any other: it is read, or refused in one line. */
    @Test
    void valuesOfOtherKinds() throws IOException {
        String comfy = Png.texts(Pictures.file("settings/comfyui.png")).get("prompt");
        String swarm = Png.texts(Pictures.file("settings/swarmui.png")).get("parameters");
        Random random = new Random(3);
        String[] values = {"null", "[]", "{}", "\"\"", "-1", "1e999", "NaN", "true", "[\"3\", 0]", "[[1]]", "\"x\"",
            "{\"a\": [{}]}", "99999999999999999999"};
        for (String[] text : new String[][] {{"parameters", swarm}, {"parameters", FOOOCUS}, {"Comment", NOVEL},
            {"invokeai_metadata", INVOKE}, {"prompt", comfy}, {"workflow", comfy}}) {
            Matcher value = Pattern.compile("(?<=: )([^\\s,{}]+|\\{\\}|\"[^\"]*\")").matcher(text[1]);
            while (value.find()) {
                String changed = text[1].substring(0, value.start()) + values[random.nextInt(values.length)]
                        + text[1].substring(value.end());
                Path file = png(text[0], changed);
                try {
                    assertThat(SettingsReader.read(file).prompt()).isNotNull();
                } catch (InputException e) {
                    assertThat(e.getMessage()).startsWith(file + ": ").doesNotContain("\n");
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"Euler,euler,", "k_euler,euler,", "euler_k,euler,karras", "DPM++ 2M,dpmpp_2m,",
        "DPM++ 2M Karras,dpmpp_2m,karras", "dpmpp_2m,dpmpp_2m,", "dpm++2m,dpmpp_2m,", "k_dpmpp_2m,dpmpp_2m,",
        "DPM++ 2M SGM Uniform,dpmpp_2m,sgm uniform", "Heun Exponential,heun,exponential",
        "euler discrete,euler,discrete",
        "Restart,,", "euler_cfg_pp,,", "dpm++2mv2,,", "'',,", "Euler Trailing,euler,trailing"})
    void samplers(String name, String sampler, String schedule) {
        Names names = Names.of(name);
        assertThat(names.sampler() == null ? null : names.sampler().label()).isEqualTo(sampler);
        assertThat(names.schedule()).isEqualTo(schedule);
    }

    @Test
    void ourOwnNames() {
        for (Sampler.Kind kind : Sampler.Kind.values()) {
            assertThat(Names.of(kind.label()).sampler()).isEqualTo(kind);
        }
        for (SigmaSchedule schedule : SigmaSchedule.values()) {
            assertThat(Names.schedule(schedule.label())).isEqualTo(schedule);
        }
        assertThat(Names.schedule("Discrete")).isEqualTo(SigmaSchedule.DISCRETE);
        assertThat(Names.isOpen("Automatic")).isTrue();
    }
}
