package jdiffusion.server.openai;

import java.util.Base64;
import java.util.Map;
import jdiffusion.model.image.Jpeg;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.request.PictureFields;
import jdiffusion.server.jobs.JobPicture;

/**
 * A request for images.
 *
 * @param edits    whether it edits pictures
 * @param url      whether addresses of the pictures are wanted, not their bytes
 * @param format   png or jpeg
 * @param quality  of JPEG, 0 to 100
 * @param stream   whether events are wanted
 * @param partials of each picture, on the way
 */
record ImageRequest(PictureFields asked, boolean edits, boolean url, String format, int quality, boolean stream,
                    int partials) {
    static final int USUAL_QUALITY = 90;

    /** A picture's file in base64. */
    String encode(JobPicture picture) {
        return base64(isPng() ? picture.png() : jpeg(picture.picture(), quality));
    }

    /** The same of one without settings. */
    String encode(Picture picture) {
        return base64(isPng() ? Png.encode(picture, Map.of()) : jpeg(picture, quality));
    }

    private boolean isPng() {
        return format.equals("png");
    }

    static byte[] jpeg(Picture picture, int quality) {
        return Jpeg.encode(picture, quality);
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }
}
