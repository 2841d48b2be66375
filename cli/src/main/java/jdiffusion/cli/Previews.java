package jdiffusion.cli;

import java.util.Map;
import java.util.function.Supplier;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;

/** Writes what can be seen of the latents so far, every few evaluations, over one file for each picture. */
final class Previews implements Progress {
    private final LatentPictures pictures;
    private final int every;
    private final int factor;
    private final GenerationRequest request;
    private final OutputFiles files;
    private int image;

    /** @param factor pixels of the picture for one of the latents */
    Previews(LatentPictures pictures, int every, int factor, GenerationRequest request, OutputFiles files) {
        this.pictures = pictures;
        this.every = every;
        this.factor = factor;
        this.request = request;
        this.files = files;
    }

    /** The picture that the next steps belong to. */
    void image(int i) {
        image = i;
    }

    @Override
    public void step(int done, Supplier<float[]> latents) {
        if (done % every == 0) {
            Picture picture = pictures.picture(latents.get(), request.height() / factor, request.width() / factor);
            if (picture.width() != request.width() || picture.height() != request.height()) {
                picture = picture.resized(request.width(), request.height());
            }
            files.write(files.preview(image), Png.encode(picture, Map.of()));
        }
    }
}
