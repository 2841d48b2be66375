package jdiffusion.cli;

import java.util.Map;
import java.util.function.Supplier;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.family.Progress;

/** Writes what can be seen of the latents so far, every few evaluations, over one file for each picture. */
final class PreviewFiles implements Progress {
    private final LatentPictures pictures;
    private final int every;
    private final int factor;
    private final OutputFiles files;
    private int image;
    private int height;
    private int width;

    /** @param factor pixels of the picture for one of the latents */
    PreviewFiles(LatentPictures pictures, int every, int factor, OutputFiles files) {
        this.pictures = pictures;
        this.every = every;
        this.factor = factor;
        this.files = files;
    }

    /** The picture that the next steps belong to. */
    void image(int i) {
        image = i;
    }

    @Override
    public void latents(int rows, int columns) {
        height = rows;
        width = columns;
    }

    @Override
    public void step(int done, Supplier<float[]> latents) {
        if (done % every == 0) {
            Picture picture = pictures.picture(latents.get(), height, width).resized(width * factor, height * factor);
            files.write(files.preview(image), Png.encode(picture, Map.of()));
        }
    }
}
