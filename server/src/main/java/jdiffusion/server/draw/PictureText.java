package jdiffusion.server.draw;

import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.StageMemory;

/** Says in a picture's file how it was drawn. */
@FunctionalInterface
public interface PictureText {
    /**
     * The text of one of a prepared request's pictures.
     *
     * @param files   of the model with all that was added to it
     * @param decoded with which the picture was decoded, maybe on tiles
     */
    Infotext of(PreparedRequest prepared, GenerationRequest picture, ModelFiles files, StageMemory decoded);
}
