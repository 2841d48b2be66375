package jdiffusion.model.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.sd3.Sd3;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.synthetic.SyntheticSource;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A family that shared code has never seen is read, written and drawn with, beside SD3. */
class NewFamilyTest {
    private final Models models = new Models(List.of(new Sd3(), new Toy()));
    @TempDir
    private Path folder;
    private Path diffusers;
    private Path single;

    @BeforeEach
    void write() throws IOException {
        Path words = Files.createDirectories(folder.resolve("tokenizers/words"));
        Path from = TestData.defaultModel().resolve("tokenizer");
        try (var files = Files.list(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, words.resolve(file.getFileName()));
            }
        }
        diffusers = folder.resolve("a");
        single = Files.createDirectories(folder.resolve("b")).resolve("toy.safetensors");
        try (SyntheticSource source = new SyntheticSource(Toy.synthetic(Tokenizer.load(words).size()), 1, DType.F32,
                folder.resolve("tokenizers"))) {
            ExportOptions options = new ExportOptions(EnumSet.allOf(Component.class), null, null,
                    ExportOptions.DIFFUSERS_SHARD);
            new Exporter(source, options, ExportProgress.NONE).writeDiffusers(diffusers);
            new Exporter(source, options, ExportProgress.NONE).writeFile(single);
        }
    }

    private static List<Picture> draw(ModelFiles files, int images) {
        try (CpuBackend backend = new CpuBackend(1, Precision.F32); Pipeline pipeline = Pipeline.open(files, backend)) {
            GenerationRequest request = pipeline.request("a cat").toBuilder().images(images).build();
            List<StageMemory> planned = pipeline.plan(request).stages();
            assertThat(planned).extracting(StageMemory::name).containsExactly("reader", "net", "vae decode");
            assertThat(pipeline.plan(request, false).stages()).extracting(StageMemory::name)
                    .containsExactly("net", "vae decode");
            return pipeline.generate(request, Progress.NONE);
        }
    }

    @Test
    void isToldFromOthersByItsNamesInEveryLayout() {
        assertThat(models.open(diffusers, ModelSources.NONE).architecture().name()).isEqualTo("toy");
        assertThat(models.open(single, ModelSources.NONE).architecture().name()).isEqualTo("toy");
        Path bare = diffusers.resolve("net/diffusion_pytorch_model.safetensors");
        assertThat(models.open(bare, ModelSources.NONE).architecture().name()).isEqualTo("toy");
        assertThat(models.open(TestData.defaultModel(), ModelSources.NONE).architecture().name()).isEqualTo("sd3");
        assertThat(models.openParts(TestData.defaultModel()
                .resolve("transformer/diffusion_pytorch_model.safetensors")).architecture().name()).isEqualTo("sd3");
    }

    @Test
    void itsFoldersAreItsOwn() {
        assertThat(diffusers.resolve("reader/model.safetensors")).exists();
        assertThat(diffusers.resolve("words")).isDirectory();
        assertThat(diffusers.resolve("transformer")).doesNotExist();
        ModelFiles files = models.open(diffusers, ModelSources.NONE);
        for (Component other : Set.of(Component.CLIP_G, Component.T5)) {
            assertThat(files.has(other)).isFalse();
            assertThat(files.missing(other)).isNull();
        }
    }

    @Test
    void allLayoutsDrawTheSamePictures() {
        List<Picture> two = draw(models.open(diffusers, ModelSources.NONE), 2);
        assertThat(two.getFirst().width()).isEqualTo(32);
        assertThat(two.getFirst().rgb()).isNotEqualTo(two.get(1).rgb());
        ModelFiles one = models.open(single, new ModelSources(Map.of(), Set.of(), diffusers.resolve("words"), null));
        assertThat(draw(one, 1).getFirst().rgb()).isEqualTo(two.getFirst().rgb());
    }

    @Test
    void whatItDoesNotHaveIsRefused() {
        Path clip = TestData.defaultModel().resolve("text_encoder_2/model.safetensors");
        assertThatThrownBy(() -> models.open(single, new ModelSources(Map.of(Component.CLIP_G, clip), Set.of(), null,
                null))).isInstanceOf(InputException.class).hasMessageContainingAll("--clip-g", "Toy has no CLIP-G");
        try (CpuBackend backend = new CpuBackend(1, Precision.F32);
                Pipeline pipeline = Pipeline.open(models.open(diffusers, ModelSources.NONE), backend)) {
            GenerationRequest request = pipeline.request("a cat").toBuilder()
                    .skipLayers(new SkipLayers(List.of(0), 1, 0, 1)).build();
            assertThatThrownBy(() -> pipeline.check(request)).isInstanceOf(InputException.class)
                    .hasMessageContaining("Toy has no layers for skip-layer guidance");
        }
    }
}
