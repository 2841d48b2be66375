package jdiffusion.model.request;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.Consumer;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.tensor.InputException;

/**
 * The init image and the mask as the user gave them, and how the mask acts.
 *
 * @param init null for none
 * @param mask null for none
 */
public record InputPictures(Picture init, Picture mask, InpaintSettings inpaint) {
    private static final int WHITEST = 255;
    /** Neither. */
    public static final InputPictures NONE = new InputPictures(null, null);

    /** With a mask that has hard edges, if any. */
    public InputPictures(Picture init, Picture mask) {
        this(init, mask, InpaintSettings.PLAIN);
    }

    /**
     * Adds the pictures, resampled to the request's size.
     *
     * @param strength null for the request's, or what is usual with a border
     */
    public GenerationRequest addTo(GenerationRequest request, Double strength) {
        if (init == null) {
            return request;
        }
        boolean ofInit = mask == null || mask.width() == init.width() && mask.height() == init.height();
        if (!ofInit && (mask.width() != request.width() || mask.height() != request.height()
                || !inpaint.equals(InpaintSettings.PLAIN))) {
            throw new InputException("the mask is " + mask.width() + "x" + mask.height() + ", the picture "
                    + request.width() + "x" + request.height() + ", the init image " + init.width() + "x"
                    + init.height() + "; make the mask as large as the init image");
        }
        return inpaint.addTo(request, init, mask, false, strength == null ? inpaint.strength(request) : strength);
    }

    /**
     * Notes when the mask selects all or nothing of the latents, which is hardly ever meant.
     *
     * @param factor pixels of the picture for one of the latents, whose first counts where edges are hard
     */
    public void checkMask(GenerationRequest request, int factor, Consumer<String> notes) {
        if (request.mask() == null) {
            return;
        }
        boolean soft = request.inpainting().soft();
        int step = soft ? 1 : factor;
        int[] luma = request.mask().luma();
        boolean white = false;
        boolean black = false;
        for (int y = 0; y < request.height(); y += step) {
            for (int x = 0; x < request.width(); x += step) {
                int value = luma[y * request.width() + x];
                white |= value >= (soft ? 1 : Picture.WHITE);
                black |= value < (soft ? WHITEST : Picture.WHITE);
            }
        }
        if (!white) {
            notes.accept("the mask selects nothing, so the init image stays as it is; white is what is drawn anew"
                    + (soft ? "" : ", and at least every " + factor + "th pixel of a row or column counts"));
        } else if (!black) {
            notes.accept("the mask selects everything, as if there were none; black is what is kept");
        }
    }

    /** The init image's {@link #hash}. */
    public String initHash() {
        return hash(init);
    }

    /** The mask's {@link #hash}. */
    public String maskHash() {
        return hash(mask);
    }

    /** MD5 of the size and the pixels: a name for the picture, not a protection. */
    public static String hash(Picture picture) {
        try {
            MessageDigest digest = MessageDigest.getInstance("MD5");
            digest.update(ByteBuffer.allocate(8).putInt(picture.width()).putInt(picture.height()).flip());
            digest.update(picture.rgb());
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has MD5
        }
    }
}
