package jdiffusion.model.image;

import java.util.Locale;
import java.util.Map;
import jdiffusion.tensor.InputException;

/**
 * How pictures are written.
 *
 * @param quality of JPEG, 1 to 100; 0 for PNG
 */
public record PictureFormat(int quality) {
    public static final PictureFormat PNG = new PictureFormat(0);

    /**
     * What a user asks for.
     *
     * @param name    png or jpeg
     * @param quality of JPEG; null for the usual one
     * @param usual   that one
     */
    public static PictureFormat of(String name, Integer quality, int usual) {
        boolean jpeg = switch (name.toLowerCase(Locale.ROOT)) {
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
        return jpeg ? new PictureFormat(quality == null ? usual : quality) : PNG;
    }

    /** @param texts by keyword, which only PNG has room for */
    public byte[] encode(Picture picture, Map<String, String> texts) {
        return quality > 0 ? Jpeg.encode(picture, quality) : Png.encode(picture, texts);
    }

    public String mime() {
        return quality > 0 ? "image/jpeg" : "image/png";
    }

    /** Ending of a file's name. */
    public String ending() {
        return quality > 0 ? ".jpg" : ".png";
    }
}
