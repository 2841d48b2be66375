package jdiffusion.model.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CancellationException;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.settings.Infotext;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;

class LoadedModelTest {
    private static final Path SHAPES = Path.of("../models/shapes");

    private static PictureFields quick(String prompt) {
        PictureFields asked = new PictureFields();
        asked.prompt = prompt;
        asked.width = 32;
        asked.height = 32;
        asked.steps = 2;
        asked.seed = 7L;
        return asked;
    }

    @Test
    void drawsWhatThePipelineDraws() {
        try (Backend backend = new CpuBackend(2, Precision.F32, null);
                LoadedModel model = LoadedModel.open(SHAPES, backend);
                Pipeline pipeline = Pipeline.open(SHAPES, backend)) {
            PictureFields asked = quick("a red circle");
            asked.images = 2;
            List<LoadedModel.Drawn> drawn = model.draw(asked);
            assertThat(drawn.stream().map(LoadedModel.Drawn::seed)).containsExactly(7L, 8L);
            for (LoadedModel.Drawn one : drawn) {
                GenerationRequest request = pipeline.request("a red circle").toBuilder().size(32, 32).steps(2)
                        .seed(one.seed()).build();
                Picture expected = pipeline.generate(request, Progress.NONE).getFirst();
                assertThat(one.picture().rgb()).isEqualTo(expected.rgb());
                assertThat(Png.texts(one.png(), "png")).containsEntry(Infotext.KEYWORD, one.text());
                assertThat(one.text()).contains("Seed: " + one.seed(), "Model: shapes");
            }
            PictureFields again = quick("a star");
            again.init = drawn.getFirst().picture();
            again.strength = 0.5;
            assertThat(model.draw(again).getFirst().text()).contains("Denoising strength: 0.5");
            PictureFields larger = quick("a star");
            larger.hires.factor = 2.0;
            assertThat(model.draw(larger).getFirst().picture().width()).isEqualTo(64);
        }
    }

    @Test
    void whatCannotBeDrawnIsSaid() {
        try (Backend backend = new CpuBackend(2, Precision.F32, null)) {
            LoadedModel model = LoadedModel.open(SHAPES, backend);
            PictureFields other = quick("a");
            other.model = "another";
            assertThatThrownBy(() -> model.draw(other)).isInstanceOf(InputException.class)
                    .hasMessageContaining("shapes");
            PictureFields odd = quick("a");
            odd.width = 100;
            assertThatThrownBy(() -> model.draw(odd)).isInstanceOf(InputException.class)
                    .hasMessageContaining("96x32 and 112x32");
            assertThatThrownBy(() -> model.draw(quick(null))).isInstanceOf(InputException.class);
            assertThatThrownBy(() -> model.draw(quick("<lora:none:1>"))).isInstanceOf(InputException.class);
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> model.draw(quick("a"))).isInstanceOf(CancellationException.class);
            assertThat(Thread.interrupted()).isTrue();
            model.close();
            assertThatThrownBy(() -> model.draw(quick("a"))).isInstanceOf(IllegalStateException.class);
        }
    }
}
