package jdiffusion.model.pipeline;

import java.util.Arrays;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.image.Picture;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.vae.TaesdFile;

/** Pictures of latents while a pipeline still denoises them. */
public final class Previews {
    /** Side of a preview's tiles in latent pixels. */
    private static final int TILE = 64;

    private Previews() {
    }

    /**
     * By a TAESD, on tiles, which can be made while the pipeline denoises.
     *
     * @throws jdiffusion.tensor.InputException when it is made for other latents
     */
    public static LatentPictures of(Pipeline pipeline, TaesdFile file) {
        LatentSpace space = pipeline.latents();
        int factor = space.factor();
        file.checkFit(space.channels(), factor);
        Stages own = new Stages(pipeline.files(), pipeline.backend(),
                MemoryPolicy.of(pipeline.policy().offload()).withTiling(MemoryPolicy.Tiling.ON, TILE));
        ImageCoder coder = new ImageCoder(own, space, new TaesdUse(null, file));
        return (latents, height, width) -> {
            int size = space.size(height * factor, width * factor);
            float[] first = latents.length == size ? latents : Arrays.copyOf(latents, size);
            return Picture.ofModel(coder.decode(first, 1, height * factor, width * factor, false, _ -> { }), 0,
                    width * factor, height * factor);
        };
    }

    /**
     * Rough ones by the checkpoint's own projection, or the one that is known for its family.
     *
     * @throws jdiffusion.tensor.InputException when there is none
     */
    public static LatentPictures of(Pipeline pipeline) {
        LatentSpace space = pipeline.latents();
        LatentPreview usual = pipeline.family().preview();
        LatentPreview preview = LatentPreview.of(pipeline.files().generationConfig(), space.channels(), usual);
        return preview != usual ? preview : (latents, height, width) ->
                preview.picture(space.pictured(latents, height * width), height, width);
    }
}
