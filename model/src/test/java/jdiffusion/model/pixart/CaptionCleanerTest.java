package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.model.TestData;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Prompts become what diffusers' pipelines make of them. */
class CaptionCleanerTest {
    @TestFactory
    Stream<DynamicTest> theReferencesCaptions() throws IOException {
        JsonNode json = new ObjectMapper().readTree(TestData.reference().resolve("pixart/captions.json").toFile());
        JsonNode strings = json.get("strings");
        assertThat(strings.size()).isGreaterThan(50);
        return IntStream.range(0, strings.size()).mapToObj(i -> DynamicTest.dynamicTest(i + " " + strings.get(i), () -> {
            String prompt = strings.get(i).asText();
            assertThat(CaptionCleaner.of(prompt, false)).isEqualTo(json.get("lowered").get(i).asText());
            assertThat(CaptionCleaner.of(prompt, true)).isEqualTo(json.get("cleaned").get(i).asText());
        }));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            caf&eacute; &#233;&#xe9; &notanentity; x | café éé notanentity x
            <p class="a > b">one</p><br/>two<!-- no --> three | onetwo three
            <script>alert(1)</script>shown < 3 | shown < 3
            a%20b+c%C3%A9 | a b cé
            see WWW.Example.COM/page?x now | see ?x now
            sõlmed ½ x | sõlmed x
            red[31m text | red 31m text
            """)
    void markupAddressesAndControls(String prompt, String cleaned) {
        assertThat(CaptionCleaner.of(prompt, true)).isEqualTo(cleaned);
    }

    /** Marks are no letters in Python, and other scripts' digits are digits. */
    @Test
    void classesAreThoseOfPython() {
        assertThat(PythonPattern.compile("\\w+").matcher("a\u0301").replaceAll("")).isEqualTo("\u0301");
        assertThat(PythonPattern.compile("\\d").matcher("\u0663\u00b2").replaceAll("")).isEqualTo("\u00b2");
        assertThat(PythonPattern.compile("\\bx").matcher("\u0301x \u00b2x").replaceAll("")).isEqualTo("\u0301 \u00b2x");
        assertThat(PythonPattern.strip("\u001c\u3000 a\u00a0b \u2028")).isEqualTo("a\u00a0b");
    }

    /** As ftfy repairs it: UTF-8 read as Windows-1252, a no-break space that became a space too; and no more. */
    @Test
    void mojibake() {
        assertThat(TextRepair.of("it\u00e2\u20ac\u2122s \u00c3\u00a9t\u00c3\u00a9")).isEqualTo("it's \u00e9t\u00e9");
        assertThat(TextRepair.of("\u00f0\u0178\u2018\u008d")).isEqualTo("\ud83d\udc4d");
        assertThat(TextRepair.of("it\u00e2\u20ac s")).isEqualTo("it\u2020s");
        assertThat(TextRepair.of("na\u00efve caf\u00e9 \u00e0 la fran\u00e7aise")).isEqualTo(
                "na\u00efve caf\u00e9 \u00e0 la fran\u00e7aise");
    }
}
