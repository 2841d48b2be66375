package jdiffusion.model.request;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.Consumer;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;

/** The init image and the mask as the user gave them; null where there is none. */
public record InputPictures(Picture init, Picture mask) {
    /** Neither. */
    public static final InputPictures NONE = new InputPictures(null, null);

    /**
     * Adds the pictures, resampled to the request's size.
     *
     * @param strength null for the request's
     */
    public GenerationRequest addTo(GenerationRequest request, Double strength) {
        if (init == null) {
            return request;
        }
        GenerationRequest.Builder builder = request.toBuilder()
                .init(init.resized(request.width(), request.height()),
                        strength == null ? request.strength() : strength);
        if (mask != null) {
            boolean ofInit = mask.width() == init.width() && mask.height() == init.height();
            builder.mask(ofInit ? mask.resized(request.width(), request.height()) : mask);
        }
        return builder.build();
    }

    /**
     * Notes when the mask selects all or nothing of the latents, which is hardly ever meant.
     *
     * @param factor pixels of the picture for one of the latents, whose first counts
     */
    public void checkMask(GenerationRequest request, int factor, Consumer<String> notes) {
        if (request.mask() == null) {
            return;
        }
        int[] luma = request.mask().luma();
        boolean white = false;
        boolean black = false;
        for (int y = 0; y < request.height(); y += factor) {
            for (int x = 0; x < request.width(); x += factor) {
                boolean isWhite = luma[y * request.width() + x] >= Picture.WHITE;
                white |= isWhite;
                black |= !isWhite;
            }
        }
        if (!white) {
            notes.accept("the mask selects nothing, so the init image stays as it is; white is what is drawn anew,"
                    + " and at least every " + factor + "th pixel of a row or column counts");
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
