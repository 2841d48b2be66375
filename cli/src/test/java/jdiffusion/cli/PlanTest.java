package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The plan command, and options that say how much memory to take. */
class PlanTest {
    @TempDir
    private Path folder;

    private static JsonNode plan(Object... args) throws IOException {
        Object[] all = new Object[args.length + 2];
        all[0] = "plan";
        all[1] = "--json";
        System.arraycopy(args, 0, all, 2, args.length);
        Cli run = Cli.run(all);
        assertThat(run.code()).as("%s", run.err()).isZero();
        return new ObjectMapper().readTree(run.out());
    }

    @Test
    void aTableForPeopleAndNumbersForPrograms() throws IOException {
        Cli table = Cli.run("plan", "--device", "cuda", "--no-t5", "-W", 64, "-H", 64);
        assertThat(table.code()).isZero();
        assertThat(table.out().lines()).hasSize(7).anyMatch(line -> line.startsWith("transformer "));
        JsonNode json = plan("--device", "cuda", "--no-t5", "-W", 64, "-H", 64);
        assertThat(json.get("stages")).hasSize(4);
        long peak = 0;
        for (JsonNode stage : json.get("stages")) {
            long sum = stage.get("weights").asLong() + stage.get("slots").asLong() + stage.get("temporaries").asLong()
                    + stage.get("other").asLong();
            assertThat(stage.get("peak").asLong()).isEqualTo(sum).isPositive();
            peak = Math.max(peak, sum);
        }
        assertThat(json.get("peak").asLong()).isEqualTo(peak);
        assertThat(table.out()).contains("of the device's memory, and 64.0 MiB of the host's, page-locked, for copies");
        assertThat(json.get("pinned").asLong()).isEqualTo(64 << 20);
        assertThat(plan("--device", "cpu", "--no-t5", "-W", 64, "-H", 64).get("pinned").asLong()).isZero();
        assertThat(plan("--device", "cuda:0,cuda:1", "--no-t5", "-W", 64, "-H", 64).get("pinned").asLong())
                .as("of two devices").isEqualTo(128 << 20);
    }

    @Test
    void offloadingTakesLess() throws IOException {
        long none = plan("--device", "cuda", "--offload", "none").get("peak").asLong();
        long stages = plan("--device", "cuda", "--offload", "stages").get("peak").asLong();
        long sequential = plan("--device", "cuda", "--offload", "sequential").get("peak").asLong();
        assertThat(none).isGreaterThan(stages);
        assertThat(stages).isGreaterThan(sequential);
        assertThat(plan("--device", "cuda", "--vram", stages).get("peak").asLong()).isEqualTo(stages);
        assertThat(plan("--device", "cuda", "--vram", stages - 1).get("peak").asLong()).isLessThan(stages);
        assertThat(plan("--device", "cuda", "--without-text-encoders").get("stages")).hasSize(2);
    }

    @Test
    void aPictureSaysWhatWasChosen() {
        Cli run = Cli.draw("a red circle", "--device", "cpu", "--vram", "8MiB", "-o", folder.resolve("a.png"));
        assertThat(run.err()).as("%s", run.err()).anyMatch(line -> line.contains("memory: at most ")
                && line.contains(" of 8.0 MiB beside the mapped files"));
    }

    @Test
    void badChoicesAreOneLine() {
        for (String[] args : new String[][] {{"--vram", "1KiB"}, {"--offload", "some"}, {"--vae-tiling=some"},
            {"--vae-tile-size", "100"}, {"--device", "tpu"}, {"--vram", "much"}}) {
            Object[] all = new Object[args.length + 1];
            all[0] = "plan";
            System.arraycopy(args, 0, all, 1, args.length);
            Cli run = Cli.run(all);
            assertThat(run.code()).as("%s", run.err()).isEqualTo(2);
            assertThat(run.err()).hasSize(1);
            assertThat(run.out()).isEmpty();
        }
    }

    /** The second has the denoiser alone, and half of what it works on. */
    @Test
    void twoDevicesHaveAPlanEach() throws IOException {
        JsonNode one = plan("--device", "cuda", "--no-t5", "-W", 64, "-H", 64).get("stages");
        JsonNode two = plan("--device", "cuda:0,cuda:1", "--no-t5", "-W", 64, "-H", 64).get("stages");
        assertThat(two.findValuesAsText("name")).containsExactly("text_encoder", "text_encoder_2", "transformer",
                "transformer (second device)", "vae decode");
        assertThat(two.get(3).get("weights")).isEqualTo(one.get(2).get("weights"));
        assertThat(two.get(2).get("temporaries").asLong()).isLessThan(one.get(2).get("temporaries").asLong());
        assertThat(two.get(3).get("temporaries").asLong()).isLessThan(one.get(2).get("temporaries").asLong());
        assertThat(Cli.run("plan", "--device", "cuda:0,cuda:1", "--no-t5").out()).contains("of each device's memory");
        Cli sites = Cli.run("sites", "--device", "cuda:0,cuda:1");
        assertThat(sites.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(sites.err()).singleElement().asString().contains("in 'generate' and 'plan'; name one");
    }
}
