package jdiffusion.batch;

import java.util.Locale;
import java.util.Map;
import jdiffusion.model.image.Jpeg;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import jdiffusion.tensor.InputException;

/**
 * How pictures are written.
 *
 * @param quality of JPEG, 1 to 100; 0 for PNG, which has the settings in it
 */
public record PictureFormat(int quality) {
    public static final PictureFormat PNG = new PictureFormat(0);
    private static final int USUAL_QUALITY = 95;

    /** @param quality null for the usual one */
    public static PictureFormat of(String name, Integer quality) {
        boolean jpeg = switch (name.toLowerCase(Locale.ROOT)) {
            case "jpeg", "jpg" -> true;
            case "png" -> false;
            default -> throw new InputException("--format " + InputException.shown(name)
                    + " is unknown; use png or jpeg");
        };
        if (quality != null && (!jpeg || quality < 1 || quality > 100)) {
            throw new InputException("--quality " + quality + (jpeg ? ": use 1 to 100"
                    : " is for --format jpeg; leave it out with png"));
        }
        return jpeg ? new PictureFormat(quality == null ? USUAL_QUALITY : quality) : PNG;
    }

    String ending() {
        return quality > 0 ? ".jpg" : ".png";
    }

    byte[] encode(Picture picture, String text) {
        return quality > 0 ? Jpeg.encode(picture, quality) : Png.encode(picture, Map.of(Infotext.KEYWORD, text));
    }
}
