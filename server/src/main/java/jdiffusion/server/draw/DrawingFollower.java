package jdiffusion.server.draw;

import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;

/** Follows the drawing of a prepared request, on the thread that draws. */
public interface DrawingFollower extends Progress {
    /** Picture {@code i}, from 0, begins. */
    void begun(int i);

    /** Whether to show how far the picture is, after so many evaluations of it. */
    boolean wantsPreview(int done);

    /** A small picture of how far it is. */
    void preview(int done, Picture picture);

    /** Whether a cancelled picture is wanted as far as it got. */
    boolean wantsUnfinished();

    /** Whether further pictures are to be drawn, maybe after one that was cancelled. */
    boolean goesOn();

    /**
     * A picture is there.
     *
     * @param request of this picture alone
     * @param png     its file
     * @param text    the settings in it
     */
    void drawn(int i, GenerationRequest request, Picture picture, byte[] png, String text);
}
