package jdiffusion.model.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.reference.Comparison;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Reference data that needs no network: schedules, walks of samplers, random numbers, token ids. */
class DataReferenceTest {
    @TempDir
    private Path folder;

    /** Comparisons in each file, at least. */
    private static final Map<String, Integer> FILES = Map.of("sdxl/scheduler/schedules.json", 920,
            "sdxl/scheduler/more.json", 685, "scheduler/sigmas.json", 60, "flux/scheduler/sigmas.json", 60,
            "auraflow/scheduler/sigmas.json", 8,
            "pixart/scheduler/sigmas.json", 65, "random/randn.safetensors", 30, "tokenizers/ids.json", 8,
            "auraflow/tokenizer_ids.json", 3, "pixart/captions.json", 2);

    private static List<Comparison> verify(Path file) {
        try (CpuBackend backend = new CpuBackend(1, Precision.F32)) {
            Verifier verifier = new Verifier(backend, 1e-4, null, TestData.defaultModel());
            return ReferenceFolder.find(file).stream().flatMap(one -> verifier.verify(one).stream()).toList();
        }
    }

    @TestFactory
    Stream<DynamicTest> files() {
        return FILES.entrySet().stream().map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
            List<Comparison> all = verify(TestData.reference().resolve(entry.getKey()));
            assertThat(all).filteredOn(c -> !c.passed()).isEmpty();
            assertThat(all).hasSizeGreaterThanOrEqualTo(entry.getValue());
        }));
    }

    /** A name that no configuration beside it knows is told, and so is a level that is off. */
    @Test
    void levelsOfPictureSizes() throws IOException {
        Path configs = TestData.reference().resolve("flux/scheduler/configs.json");
        Files.copy(configs, folder.resolve("configs.json"));
        Files.writeString(folder.resolve("sigmas.json"),
                "{\"schnell.512x512.steps2\": {\"sigmas\": [1.0, 0.5, 0.001], \"timesteps\": [1000.0, 500.0]}}");
        assertThat(verify(folder)).extracting(Comparison::passed).containsExactly(true, false);
        Files.writeString(folder.resolve("sigmas.json"), "{\"pro.512x512.steps2\": {}}");
        assertThatThrownBy(() -> verify(folder)).isInstanceOf(InputException.class).hasMessageContaining("pro");
    }

    /** One level, one number of a walk, one draw and one id that are off. */
    @Test
    void whatIsOffFails() throws IOException {
        Path reference = TestData.reference();
        Files.writeString(folder.resolve("sigmas.json"),
                "{\"euler.shift1.0.steps1\": {\"sigmas\": [1.0, 0.001], \"timesteps\": [1000.0]}}");
        assertThat(verify(folder)).extracting(Comparison::passed).containsExactly(true, false);
        Files.delete(folder.resolve("sigmas.json"));

        Path walks = folder.resolve("walks.safetensors");
        Files.copy(reference.resolve("sdxl/scheduler/schedules.json"), folder.resolve("schedules.json"));
        Files.copy(reference.resolve("sdxl/scheduler/walks.safetensors"), walks);
        TestData.rewrite(walks, tensors -> tensors.put("euler.steps3.latents.1",
                tensors.get("euler.steps3.latents.2")));
        assertThat(verify(folder)).filteredOn(c -> !c.passed()).extracting(Comparison::tensor)
                .containsExactly("euler.steps3.latents.1");
        Files.delete(folder.resolve("schedules.json"));

        Path random = folder.resolve("randn.safetensors");
        Files.copy(reference.resolve("random/randn.safetensors"), random);
        TestData.rewrite(random, tensors -> tensors.put("seed0.n16", tensors.get("seed1.n16")));
        assertThat(verify(random)).filteredOn(c -> !c.passed()).extracting(Comparison::tensor)
                .containsExactly("seed0.n16");
    }

    @Test
    void filesThatNothingIsKnownFor() throws IOException {
        Path other = Files.writeString(folder.resolve("data.json"), "{}");
        Path expected = Files.write(folder.resolve("expected.safetensors"), new byte[0]);
        Files.writeString(Files.createDirectory(folder.resolve("model")).resolve("config.json"), "{}");
        Files.writeString(folder.resolve("model/more.json"), "{}");
        assertThat(ReferenceFolder.unknown(folder)).containsExactly(other, expected);
        assertThatThrownBy(() -> ReferenceFolder.find(folder)).isInstanceOf(InputException.class)
                .hasMessageContaining("nor other data that is known");
        assertThatThrownBy(() -> ReferenceFolder.find(other)).isInstanceOf(InputException.class)
                .hasMessageContaining("nothing is known to verify in such a file");
    }

    @Test
    void filesThatAreBroken() throws IOException {
        Files.writeString(folder.resolve("sigmas.json"), "{\"steps4.fast\": {}}");
        Files.writeString(folder.resolve("config.json"), "{}");
        assertThatThrownBy(() -> verify(folder)).isInstanceOf(InputException.class)
                .hasMessageContaining("'steps4.fast' is no name of a schedule");
        Files.writeString(folder.resolve("sigmas.json"), "{\"steps4\": {\"sigmas\": [1]}}");
        assertThatThrownBy(() -> verify(folder)).isInstanceOf(InputException.class)
                .hasMessageContaining("timesteps is missing");
    }
}
