package jdiffusion.model.pipeline;

import java.util.function.Consumer;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.vae.Vae;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.tensor.Tensor;

/** The VAE's two stages: pictures to latents and back. */
final class ImageCoder {
    private final Stages stages;
    private final VaeConfig config;

    ImageCoder(Stages stages, VaeConfig config) {
        this.stages = stages;
        this.config = config;
    }

    /**
     * @param image [3, height, width] in -1 to 1
     * @return mean and log-variance of its latents, [2, channels, height / 8, width / 8]
     */
    float[] encode(float[] image, int height, int width, Consumer<StageMemory> report) {
        return stages.run(Component.VAE, Vae::load, (Stage<Vae> stage) -> {
            Tensor pixels = stage.compute().workspace().f32(1, 3, height, width);
            stage.compute().backend().upload(image, pixels);
            return stage.download(stage.model().encode(stage.compute(), pixels));
        }, report);
    }

    /**
     * @param latents of the autoencoder, [images, channels, height / 8, width / 8]
     * @return [images, 3, height, width], about -1 to 1
     */
    float[] decode(float[] latents, int images, int height, int width, Consumer<StageMemory> report) {
        return stages.run(Component.VAE, Vae::load, (Stage<Vae> stage) -> {
            Tensor z = stage.compute().workspace().f32(images, config.latentChannels(), height / config.factor(),
                    width / config.factor());
            stage.compute().backend().upload(latents, z);
            return stage.download(stage.model().decode(stage.compute(), z));
        }, report);
    }
}
