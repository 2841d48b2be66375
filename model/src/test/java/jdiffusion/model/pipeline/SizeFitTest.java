package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Picture;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pictures of one size brought to another, and back to where they will be seen. */
class SizeFitTest {
    private static SizeFit fit(int drawnWidth, int drawnHeight, int width, int height) {
        return new SizeFit(new PixelSize(drawnWidth, drawnHeight), new PixelSize(width, height));
    }

    /** The rows of torch's bilinear interpolation without aligned corners, to 5 of 3 and to 2 of 4. */
    @Test
    void isBilinearBetweenMiddles() {
        float[] line = {0, 10, 30, 0, 10, 30, 0, 10, 30};
        float[] wide = fit(3, 3, 5, 5).fitted(colours(line), 1);
        assertThat(Arrays.copyOf(wide, 5)).containsExactly(new float[] {0, 4, 10, 22, 30},
                Offset.offset(1e-5f));
        float[] four = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        assertThat(Arrays.copyOf(fit(4, 4, 2, 2).fitted(colours(four), 1), 4)).containsExactly(2.5f, 4.5f, 10.5f,
                12.5f);
    }

    private static float[] colours(float[] plane) {
        float[] all = new float[3 * plane.length];
        for (int c = 0; c < 3; c++) {
            System.arraycopy(plane, 0, all, c * plane.length, plane.length);
        }
        return all;
    }

    @Test
    void keepsWhatHasTheSize() {
        float[] values = new float[3 * 6 * 4];
        assertThat(fit(6, 4, 6, 4).fitted(values, 1)).isSameAs(values);
    }

    /** What is wider is cut at both sides alike. */
    @Test
    void isCutAroundItsMiddle() {
        float[] plane = new float[8 * 2];
        for (int i = 0; i < plane.length; i++) {
            plane[i] = i % 8;
        }
        float[] out = fit(8, 2, 4, 2).fitted(colours(plane), 1);
        assertThat(Arrays.copyOf(out, 8)).containsExactly(2, 3, 4, 5, 2, 3, 4, 5);
    }

    /** A picture put into what is drawn, and taken out again, is in its place. */
    @ParameterizedTest
    @CsvSource({"320, 192, 100, 64", "304, 208, 72, 48", "160, 384, 60, 137", "64, 64, 640, 200", "64, 64, 200, 641"})
    void comesBackWhereItWas(int drawnWidth, int drawnHeight, int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int at = 3 * (y * width + x);
                rgb[at] = (byte) (255 * x / width);
                rgb[at + 1] = (byte) (255 * y / height);
                rgb[at + 2] = (byte) (x < width / 2 ? 0 : 255);
            }
        }
        SizeFit fit = fit(drawnWidth, drawnHeight, width, height);
        Picture drawn = fit.placed(new Picture(width, height, rgb));
        assertThat(drawn.width()).isEqualTo(drawnWidth);
        assertThat(drawn.height()).isEqualTo(drawnHeight);
        Picture back = Picture.ofModel(fit.fitted(drawn.toModel(), 1), 0, width, height);
        int wrong = 0;
        for (int i = 0; i < rgb.length; i++) {
            wrong += Math.abs((rgb[i] & 0xff) - (back.rgb()[i] & 0xff)) > 12 ? 1 : 0;
        }
        // Only the edge in the third colour is blurred.
        assertThat((double) wrong / rgb.length).isLessThan(0.06);
    }
}
