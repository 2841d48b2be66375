package jdiffusion.cli;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.Consumer;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.tensor.InputException;

/** The init image and the mask as the user gave them; null where there is none. */
record InputPictures(Picture init, Picture mask) {
    /** @param notes told what is made of a mask with alpha */
    static InputPictures read(GenerateOptions options, Consumer<String> notes) {
        if (options.initImg == null && options.strength != null) {
            throw new InputException("--strength says how much to change an init image; give one with -i");
        }
        if (options.initImg == null && options.mask != null) {
            throw new InputException("--mask needs an init image; give one with -i");
        }
        if (options.initImg == null && Boolean.TRUE.equals(options.taesdEncoder)) {
            throw new InputException("--taesd-encoder is for an init image; give one with -i");
        }
        return new InputPictures(options.initImg == null ? null : PictureFile.read(options.initImg),
                options.mask == null ? null : PictureFile.readMask(options.mask, notes));
    }

    /**
     * Gives the picture the init image's size, where the user asked for none.
     *
     * @param multiple of which the model can draw sizes
     */
    void chooseSize(GenerateOptions options, int multiple, Consumer<String> notes) {
        if (init == null) {
            return;
        }
        int width = Math.max(multiple, init.width() / multiple * multiple);
        int height = Math.max(multiple, init.height() / multiple * multiple);
        if (options.width == null && options.height == null && (width != init.width() || height != init.height())) {
            notes.accept("the init image is " + init.width() + "x" + init.height() + "; drawing " + width + "x"
                    + height + ", the next size in multiples of " + multiple);
        }
        options.width = options.width == null ? Integer.valueOf(width) : options.width;
        options.height = options.height == null ? Integer.valueOf(height) : options.height;
    }

    /** Adds the pictures, resampled to the request's size. */
    GenerationRequest addTo(GenerationRequest request, Double strength) {
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
    void checkMask(GenerationRequest request, int factor, Consumer<String> notes) {
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

    String initHash() {
        return hash(init);
    }

    String maskHash() {
        return hash(mask);
    }

    /** MD5 of the size and the pixels: a name for the picture, not a protection. */
    static String hash(Picture picture) {
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
