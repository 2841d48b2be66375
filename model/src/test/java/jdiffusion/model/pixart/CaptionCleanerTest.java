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
}
