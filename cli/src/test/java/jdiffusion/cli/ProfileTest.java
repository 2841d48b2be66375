package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code generate --profile} and {@code --trace}. */
class ProfileTest {
    @TempDir
    private Path folder;

    @Test
    void tablesFollowThePictureWhichIsTheSame() throws IOException {
        Path plain = folder.resolve("plain.png");
        Path profiled = folder.resolve("profiled.png");
        assertThat(Cli.draw("a circle", "-o", plain).code()).isZero();
        Cli run = Cli.draw("--profile", "a circle", "-o", profiled);
        assertThat(run.code()).isZero();
        assertThat(Files.readAllBytes(profiled)).isEqualTo(Files.readAllBytes(plain));
        assertThat(run.err()).allMatch(line -> line.length() <= 110 || line.contains("settings:"));
        List<String> table = run.err().subList(run.err().indexOf(run.err().stream()
                .filter(line -> line.startsWith("operation ")).findFirst().orElseThrow()), run.err().size());
        assertThat(table).anyMatch(line -> line.startsWith("linear ")).anyMatch(line -> line.startsWith("attention "))
                .anyMatch(line -> line.startsWith("conv2d ")).anyMatch(line -> line.startsWith("text_encoder "))
                .anyMatch(line -> line.startsWith("  transformer_blocks.0")).anyMatch(line -> line.startsWith("vae "))
                .anyMatch(line -> line.matches("of \\d+\\.\\d\\d s: products .* %, outside of operations .* %"))
                .anyMatch(line -> line.matches("peak: \\d+ GFLOP/s.*"));
        assertThat(Cli.names(folder)).containsExactly("plain.png", "profiled.png");
    }

    @Test
    void jsonAndTrace() throws IOException {
        Path trace = folder.resolve("trace.json");
        Cli run = Cli.draw("a circle", "-o", folder.resolve("a.png"), "--json", "--profile", "--trace", trace);
        assertThat(run.code()).isZero();
        ObjectMapper mapper = new ObjectMapper();
        JsonNode profile = mapper.readTree(run.out()).get("profile");
        double operations = 0;
        for (JsonNode work : profile.get("operations")) {
            operations += work.get("seconds").doubleValue();
            assertThat(work.get("flops").doubleValue() > 0).as(work.toString())
                    .isEqualTo(work.get("product").booleanValue());
        }
        assertThat(operations).isPositive().isLessThanOrEqualTo(profile.get("seconds").doubleValue());
        assertThat(profile.get("peak").doubleValue()).isPositive();
        assertThat(profile.get("stages").findValuesAsText("name"))
                .contains("text_encoder", "text_encoder_2", "transformer", "transformer_blocks", "vae");
        JsonNode events = mapper.readTree(Files.readAllBytes(trace)).get("traceEvents");
        assertThat(StreamSupport.stream(events.spliterator(), false).map(event -> event.get("name").textValue()))
                .contains("linear", "step 0", "step 1", "transformer_blocks.3", "decoder.up_blocks.0");
        assertThat(run.err()).noneMatch(line -> line.startsWith("operation "));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "missing/t.json | t.json: its folder does not exist; create it or name another",
        "t.txt          | a trace is JSON; give it a name that ends in .json",
        "f.json         | f.json: is a folder; name a file"})
    void tracesThatCannotBeWritten(String name, String message) throws IOException {
        Files.createDirectory(folder.resolve("f.json"));
        Cli run = Cli.draw("a", "-o", folder.resolve("a.png"), "--trace", folder.resolve(name));
        assertThat(run.err()).singleElement().asString().startsWith("jdiffusion: ").contains(message);
        assertThat(run.code()).isEqualTo(2);
        assertThat(Cli.names(folder)).containsExactly("f.json");
    }

    /** Where folders take no files, whoever asks. */
    @Test
    void foldersThatTakeNoFilesAreFoundBeforeAnythingIsDrawn() {
        assumeTrue(Files.isDirectory(Path.of("/proc/self")), "no /proc here");
        Path picture = folder.resolve("a.png");
        Cli run = Cli.draw("a", "-o", picture, "--trace", "/proc/t.json");
        assertThat(run.err()).singleElement().asString()
                .isEqualTo("jdiffusion: --trace /proc/t.json: its folder takes no new files; name another");
        assertThat(run.code()).isEqualTo(2);
        assertThat(picture).doesNotExist();
    }
}
