package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Paste;
import jdiffusion.model.image.Picture;
import jdiffusion.model.stage.Stages;

/** From clean latents of the last pass to pictures of the size that was asked for. */
record DecodeStage(ModelInfo model, Stages stages, TaesdUse taesd) {
    List<Picture> run(GenerationRequest request, float[] latents, Progress progress) {
        float[] values = values(request, latents, progress);
        GenerationRequest last = SecondPass.last(request);
        Paste paste = request.inpainting().paste();
        List<Picture> pictures = new ArrayList<>();
        for (int i = 0; i < request.images(); i++) {
            Picture picture = Picture.ofModel(values, i, last.width(), last.height());
            pictures.add(paste == null ? picture : paste.of(picture));
        }
        return pictures;
    }

    /** [images, 3, height, width], about -1 to 1. */
    float[] values(GenerationRequest request, float[] latents, Progress progress) {
        GenerationRequest last = SecondPass.last(request);
        SizeFit fit = SizeFit.of(model, last);
        return fit.fitted(new ImageCoder(stages, model.latents(), taesd).decode(fit.drawn(last), latents, progress),
                request.images());
    }
}
