package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Random;
import jdiffusion.tensor.InputException;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Blurring, cutting out, pasting, enlarging and extending of pictures and masks, against plain loops. */
class MaskTest {
    private static Picture picture(int width, int height, int seed) {
        byte[] rgb = new byte[3 * width * height];
        new Random(seed).nextBytes(rgb);
        return new Picture(width, height, rgb);
    }

    private static int[] values(Mask mask) {
        int[] all = new int[mask.values().length];
        for (int i = 0; i < all.length; i++) {
            all[i] = mask.values()[i] & 0xff;
        }
        return all;
    }

    private static int[] channel(Picture picture, int c) {
        int[] all = new int[picture.width() * picture.height()];
        for (int i = 0; i < all.length; i++) {
            all[i] = picture.rgb()[3 * i + c] & 0xff;
        }
        return all;
    }

    /** A rectangle of white. */
    private static Mask rectangle(int width, int height, Box white) {
        byte[] values = new byte[width * height];
        for (int y = white.y(); y < white.y() + white.height(); y++) {
            for (int x = white.x(); x < white.x() + white.width(); x++) {
                values[y * width + x] = (byte) 255;
            }
        }
        return new Mask(width, height, values);
    }

    @ParameterizedTest
    @CsvSource({"17, 5, 1", "31, 33, 4", "1, 1, 3", "1, 40, 2", "64, 3, 64", "5, 7, 0.4"})
    void blurIsTheConvolution(int width, int height, double sigma) {
        Picture picture = picture(width, height, 3);
        Mask mask = Mask.of(picture);
        assertThat(values(mask.blurred(sigma))).isEqualTo(NaiveImages.blurred(values(mask), width, height, sigma));
        Picture blurred = picture.blurred(sigma);
        for (int c = 0; c < 3; c++) {
            assertThat(channel(blurred, c)).isEqualTo(NaiveImages.blurred(channel(picture, c), width, height, sigma));
        }
    }

    @Test
    void noBlurIsNone() {
        Mask mask = Mask.of(picture(9, 4, 1));
        assertThat(mask.blurred(0).values()).isEqualTo(mask.values());
        assertThat(mask.inverted().inverted().values()).isEqualTo(mask.values());
        assertThat(mask.hard().values()).containsOnly(0, -1);
    }

    @Test
    void luma() {
        Picture picture = picture(9, 4, 1);
        assertThat(values(Mask.of(picture))).isEqualTo(picture.luma());
        assertThat(Mask.of(picture).picture().luma()).isEqualTo(picture.luma());
    }

    @ParameterizedTest
    @CsvSource({"40, 30, 3, 4, 5, 6", "40, 30, 0, 0, 40, 30", "7, 9, 6, 8, 1, 1"})
    void theBoxIsTheSmallest(int width, int height, int x, int y, int w, int h) {
        assertThat(rectangle(width, height, new Box(x, y, w, h)).box()).isEqualTo(new Box(x, y, w, h));
        assertThat(rectangle(width, height, new Box(x, y, w, 0)).box()).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "60, 50, 20, 20, 10, 10, 2, 1, 15, 20, 20, 10", "60, 50, 0, 0, 10, 10, 2, 1, 0, 0, 20, 10",
        "60, 50, 50, 40, 10, 10, 1, 3, 50, 20, 10, 30", "60, 50, 5, 0, 40, 50, 1, 1, 0, 0, 50, 50",
        "30, 90, 0, 0, 30, 90, 1, 1, 0, 0, 30, 90", "60, 50, 20, 20, 10, 11, 1, 1, 20, 20, 11, 11"})
    void aBoxIsExtendedToAShape(int width, int height, int x, int y, int w, int h, int likeW, int likeH, int toX,
                                int toY, int toW, int toH) {
        assertThat(new Box(x, y, w, h).shaped(likeW, likeH, width, height)).isEqualTo(new Box(toX, toY, toW, toH));
    }

    @Test
    void aBoxIsPaddedWithinThePicture() {
        assertThat(new Box(3, 4, 5, 6).padded(2, 60, 50)).isEqualTo(new Box(1, 2, 9, 10));
        assertThat(new Box(3, 4, 5, 6).padded(9, 10, 50)).isEqualTo(new Box(0, 0, 10, 19));
        assertThat(new Box(3, 4, 5, 6).padded(Integer.MAX_VALUE, 10, 50)).isEqualTo(Box.whole(10, 50));
    }

    /** What is cut out and put back unchanged at the same size leaves the picture as it was. */
    @Test
    void aPartGoesThereAndBack() {
        Picture picture = picture(23, 19, 5);
        Cutout cutout = Cutout.of(new Box(3, 4, 8, 8), 23, 19, 8, 8);
        Picture part = cutout.of(picture);
        assertThat(part.rgb()).isEqualTo(NaiveImages.part(picture, 3, 4, 8, 8).rgb());
        Mask mask = rectangle(23, 19, new Box(4, 5, 6, 6)).blurred(0.4);
        assertThat(new Paste(picture, mask, cutout).of(part).rgb()).isEqualTo(picture.rgb());
        Picture other = picture(8, 8, 6);
        Picture pasted = new Paste(picture, mask, cutout).of(other);
        assertThat(pasted.rgb()).isEqualTo(NaiveImages.pasted(picture, other, 3, 4, values(mask)).rgb())
                .isNotEqualTo(picture.rgb());
        for (int i = 0; i < mask.values().length; i++) {
            if (mask.values()[i] == 0) {
                assertThat(pasted.rgb()[3 * i]).isEqualTo(picture.rgb()[3 * i]);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"23, 19, 16, 16", "7, 40, 32, 16", "40, 7, 16, 30", "16, 16, 5, 9"})
    void aPartIsEnlargedByLanczos(int width, int height, int drawnWidth, int drawnHeight) {
        Picture picture = picture(width, height, 7);
        Cutout cutout = Cutout.of(new Box(width / 3, height / 3, 2, 3), width, height, drawnWidth, drawnHeight);
        Box box = cutout.box();
        Picture part = NaiveImages.part(picture, box.x(), box.y(), box.width(), box.height());
        assertThat(cutout.inner()).isEqualTo(Box.whole(drawnWidth, drawnHeight));
        assertThat(cutout.of(picture).rgb()).isEqualTo(NaiveImages.lanczos(part, drawnWidth, drawnHeight).rgb());
    }

    /** A part that cannot be extended far enough keeps its shape: its edges go on around it. */
    @Test
    void aNarrowPictureIsNotStretched() {
        Picture picture = picture(8, 32, 8);
        Cutout cutout = Cutout.of(Box.whole(8, 32), 8, 32, 32, 32);
        assertThat(cutout.box()).isEqualTo(Box.whole(8, 32));
        assertThat(cutout.inner()).isEqualTo(new Box(12, 0, 8, 32));
        Picture drawn = cutout.of(picture);
        for (int y = 0; y < 32; y++) {
            for (int x = 0; x < 32; x++) {
                assertThat(drawn.rgb()[3 * (y * 32 + x)]).isEqualTo(
                        picture.rgb()[3 * (y * 8 + Math.clamp(x - 12, 0, 7))]);
            }
        }
        assertThat(cutout.back(drawn).rgb()).isEqualTo(picture.rgb());
    }

    @ParameterizedTest
    @CsvSource({"3, 5, 7, 11", "8, 8, 8, 8", "9, 4, 5, 3", "1, 1, 4, 2", "16, 12, 24, 18"})
    void bilinearIsBetweenNeighbours(int width, int height, int newWidth, int newHeight) {
        Random random = new Random(9);
        float[] values = new float[2 * width * height];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        float[] out = Bilinear.resize(width, height, newWidth, newHeight).of(values, 2);
        for (int p = 0; p < 2; p++) {
            float[] plane = Arrays.copyOfRange(values, p * width * height, (p + 1) * width * height);
            double[] naive = NaiveImages.bilinear(plane, width, height, newWidth, newHeight);
            for (int i = 0; i < naive.length; i++) {
                assertThat((double) out[p * naive.length + i]).isCloseTo(naive[i],
                        Offset.offset(1e-5));
            }
        }
    }

    /** A hole takes the colour around it, a grey pixel is mixed, what is not masked stays. */
    @Test
    void fillTakesTheColoursAround() {
        int width = 37;
        int height = 29;
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++) {
            rgb[3 * i] = (byte) (i % width < width / 2 ? 40 : 200);
            rgb[3 * i + 1] = 77;
        }
        Picture picture = new Picture(width, height, rgb);
        Mask mask = rectangle(width, height, new Box(2, 3, 30, 20));
        for (int y = 3; y < 23; y++) {
            for (int x = 2; x < 32; x++) {
                rgb[3 * (y * width + x) + 2] = (byte) 255;
            }
        }
        Picture filled = picture.filled(mask);
        for (int i = 0; i < width * height; i++) {
            boolean hole = mask.values()[i] != 0;
            assertThat(filled.rgb()[3 * i + 1]).isEqualTo((byte) 77);
            assertThat(filled.rgb()[3 * i + 2]).isEqualTo((byte) 0);
            assertThat(filled.rgb()[3 * i] & 0xff).isBetween(hole ? 40 : rgb[3 * i] & 0xff,
                    hole ? 200 : rgb[3 * i] & 0xff);
        }
        // Nearer to the left edge it is darker than nearer to the right one.
        int row = 3 * 13 * width;
        assertThat(filled.rgb()[row + 3 * 4] & 0xff).isLessThan(filled.rgb()[row + 3 * 29] & 0xff);
        Picture all = picture.filled(rectangle(width, height, Box.whole(width, height)));
        assertThat(all.rgb()).containsOnly(0);
    }

    @Test
    void aBorderMirrorsAndKeepsThePicture() {
        Picture picture = picture(12, 9, 11);
        Border border = Border.of("4,0,20,7", "--outpaint");
        Picture around = border.around(picture);
        assertThat(around.width()).isEqualTo(36);
        assertThat(around.height()).isEqualTo(16);
        assertThat(NaiveImages.part(around, 4, 0, 12, 9).rgb()).isEqualTo(picture.rgb());
        assertThat(border.around(picture).rgb()).isEqualTo(around.rgb());
        // The mirrored picture, blurred, is within the noise of what is there.
        int[] mirrored = new int[36 * 16];
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < mirrored.length; i++) {
                mirrored[i] = picture.rgb()[3 * (NaiveImages.reflected(i / 36, 9) * 12
                        + NaiveImages.reflected(i % 36 - 4, 12)) + c] & 0xff;
            }
            int[] blurred = NaiveImages.blurred(mirrored, 36, 16, 8);
            for (int i = 0; i < mirrored.length; i++) {
                boolean inside = i / 36 < 9 && i % 36 >= 4 && i % 36 < 16;
                assertThat(inside || Math.abs((around.rgb()[3 * i + c] & 0xff) - blurred[i]) <= 24).isTrue();
            }
        }
        Mask mask = border.mask(12, 9, 2, rectangle(12, 9, new Box(0, 0, 1, 1)));
        for (int i = 0; i < 36 * 16; i++) {
            int x = i % 36;
            int y = i / 36;
            boolean kept = x >= 6 && x < 14 && y < 7;
            assertThat(mask.values()[i] == 0).isEqualTo(kept);
        }
        Mask given = border.mask(12, 9, 0, rectangle(12, 9, new Box(5, 5, 2, 1)));
        assertThat(given.values()[5 * 36 + 9]).isEqualTo((byte) 255);
        assertThat(given.values()[5 * 36 + 11]).isEqualTo((byte) 0);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "10,0,0,0 | 128 | 128 | 16,0,0,0, for 144x128", "0,0,10,7 | 128 | 128 | 0,0,16,16, for 144x144",
        "3,3,3,3 | 128 | 128 | 3,3,13,13, for 144x144", "64,0,64,0 | 100 | 128 | 64,0,60,0, for 224x128"})
    void aBorderThatDoesNotFitNamesTheNearest(String text, int width, int height, String nearest) {
        assertThatThrownBy(() -> Border.of(text, "--outpaint").check(width, height, 16))
                .isInstanceOf(InputException.class).hasMessageContaining("and this model draws multiples of 16")
                .hasMessageContaining("the nearest that works is " + nearest);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"1,2,3 | give the pixels to add", "a,0,0,0 | give the pixels",
        "-1,0,0,0 | give the pixels", "0,0,0,0 | nothing to draw", "1000000,0,0,0 | give the pixels"})
    void badBorders(String text, String message) {
        assertThatThrownBy(() -> Border.of(text, "--outpaint")).isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }
}
