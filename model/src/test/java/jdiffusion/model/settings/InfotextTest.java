package jdiffusion.model.settings;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The text comes back as it was, whatever the prompt; and what other tools write is understood. */
class InfotextTest {
    private static final Map<String, String> FIELDS = fields();

    private static Map<String, String> fields() {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("Steps", "20");
        fields.put("Model", "my, model: \"x\" \\ [1");
        fields.put("Skip layers", "7, 8, 9");
        fields.put("Version", "jdiffusion 1");
        return fields;
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "a red circle",
        "",
        " spaces around ",
        "two\nlines",
        "two\n\nparagraphs\n",
        "with\r\nDOS line ends",
        "tab\tand bell\u0007",
        "a dog\nNegative prompt: a cat",
        "Negative prompt: a cat",
        "a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1",
        "Steps: 1, Seed: 2, Size: 3x3",
        "\"quoted\", with: all, {of} [it] \\",
        "日本語 ünï 🎨",
        "Exact prompt: \"x\""})
    void roundTrip(String prompt) {
        for (String negative : new String[] {"", "blurry", prompt}) {
            Infotext text = new Infotext(prompt, negative, FIELDS);
            Infotext back = Infotext.parse(text.text());
            assertThat(back).isEqualTo(text);
            assertThat(back.fields().keySet()).containsExactlyElementsOf(FIELDS.keySet());
        }
    }

    @Test
    void plainPromptsNeedNoSecondCopy() {
        assertThat(new Infotext("a dog\non grass", "blurry", Map.of("Steps", "20", "Seed", "1", "Size", "8x8")).text())
                .startsWith("a dog\non grass\nNegative prompt: blurry\n").doesNotContain("Exact");
    }

    @Test
    void web() {
        Infotext text = Infotext.parse("""
                masterpiece, <lora:x:1>
                second line
                Negative prompt: bad, worse
                worst
                Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 4.5, Seed: 965400086, Size: 1024x768, \
                Model hash: 6ce0161689, Model: sd3.5_medium, Lora hashes: "x: aa, y: bb", Version: v1.10.1
                """);
        assertThat(text.prompt()).isEqualTo("masterpiece, <lora:x:1>\nsecond line");
        assertThat(text.negativePrompt()).isEqualTo("bad, worse\nworst");
        assertThat(text.fields()).containsEntry("Sampler", "DPM++ 2M").containsEntry("Schedule type", "Karras")
                .containsEntry("Lora hashes", "x: aa, y: bb").containsEntry("Version", "v1.10.1").hasSize(10);
    }

    /** As the extension for dynamic prompts adds them. */
    @Test
    void linesBehindTheSettings() {
        Infotext text = Infotext.parse("a cat\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, Seed: 7\n\nTemplate:"
                + " a {cat|dog}, 1: 2, 3: 4, x\n\nNegative Template: bad");
        assertThat(text.prompt()).isEqualTo("a cat");
        assertThat(text.negativePrompt()).isEqualTo("bad");
        assertThat(text.fields()).containsOnlyKeys("Steps", "Sampler", "Seed", "Template", "Negative Template")
                .containsEntry("Template", "a {cat|dog}, 1: 2, 3: 4, x");
    }

    @Test
    void fewSettings() {
        Infotext text = Infotext.parse("a cat\nNegative prompt: bad\nSteps: 20, Seed: 7");
        assertThat(text.negativePrompt()).isEqualTo("bad");
        assertThat(text.fields()).containsOnlyKeys("Steps", "Seed");
        assertThat(Infotext.parse("a cat\nSteps: 20| Seed: 7").prompt()).isEqualTo("a cat");
    }

    @Test
    void stableDiffusionCpp() {
        Infotext text = Infotext.parse("a cat\nSteps: 20, CFG scale: 4.500000, SLG scale: 2.500000, Skip layers: "
                + "[7, 8, 9, ], Skip layer start: 0.010000, Seed: 42, Size: 512x512, Sampler: euler discrete, "
                + "Version: stable-diffusion.cpp, SDCPP: {\"a\": [1, 2], \"b\": \"x, y: }\"}");
        assertThat(text.fields()).containsEntry("Skip layers", "[7, 8, 9, ]").containsEntry("Seed", "42")
                .containsEntry("Version", "stable-diffusion.cpp")
                .containsEntry("SDCPP", "{\"a\": [1, 2], \"b\": \"x, y: }\"}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", ":::,,,", "a: \"", "Steps: [[[[, B b: {{, C c: \"\\", "\"\"\",\"", "x\n\n\n"})
    void nonsenseIsNoError(String text) {
        assertThat(Infotext.parse(text)).isNotNull();
    }

    @Test
    void longTextsAreNoProblem() {
        String text = "Aa: \"" + "\\\"x, ".repeat(200_000) + "\", " + "Bb: [".repeat(1_000);
        assertThat(Infotext.parse(text)).isNotNull();
    }
}
