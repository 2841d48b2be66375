package jdiffusion.cli;

import java.util.Locale;
import java.util.Map;
import jdiffusion.model.image.Jpeg;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.InputException;

/** How the pictures of a stream are written. */
record PictureFormat(boolean jpeg, int quality) {
    private static final int USUAL_QUALITY = 90;

    /**
     * @param name    png or jpeg; null for jpeg
     * @param quality of JPEG; null for the usual one
     */
    static PictureFormat of(String name, Integer quality) {
        boolean jpeg = switch (name == null ? "jpeg" : name.toLowerCase(Locale.ROOT)) {
            case "jpeg", "jpg", "mjpeg" -> true;
            case "png" -> false;
            default -> throw new InputException("--format " + InputException.shown(name)
                    + " is unknown; use jpeg or png");
        };
        if (quality != null && !jpeg) {
            throw new InputException("--quality " + quality + " is for --format jpeg; leave it out with png");
        }
        if (quality != null && (quality < 1 || quality > 100)) {
            throw new InputException("--quality is " + quality + "; use 1 to 100");
        }
        return new PictureFormat(jpeg, quality == null ? USUAL_QUALITY : quality);
    }

    byte[] encode(Picture picture) {
        return jpeg ? Jpeg.encode(picture, quality) : Png.encode(picture, Map.of());
    }

    String mime() {
        return jpeg ? "image/jpeg" : "image/png";
    }

    /** Ending of a file's name. */
    String ending() {
        return jpeg ? ".jpg" : ".png";
    }
}
