package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stored values arrive as Pillow's convert("RGB") gives them. */
class PictureFileTest {
    @TempDir
    private Path folder;

    private Path write(BufferedImage image, String format) throws IOException {
        Path file = folder.resolve("a." + format);
        assertThat(ImageIO.write(image, format, file.toFile())).isTrue();
        return file;
    }

    @Test
    void transparencyIsDropped() throws IOException {
        BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0x00102030);
        image.setRGB(1, 0, 0x80a0b0c0);
        assertThat(PictureFile.read(write(image, "png")).rgb())
                .containsExactly(0x10, 0x20, 0x30, 0xa0, 0xb0, 0xc0);
    }

    @ParameterizedTest
    @ValueSource(ints = {BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_USHORT_GRAY})
    void greyKeepsItsValues(int type) throws IOException {
        BufferedImage image = new BufferedImage(2, 1, type);
        int scale = type == BufferedImage.TYPE_BYTE_GRAY ? 1 : 257;
        image.getRaster().setSample(0, 0, 0, 128 * scale);
        image.getRaster().setSample(1, 0, 0, 20 * scale);
        assertThat(PictureFile.read(write(image, "png")).rgb()).containsExactly(128, 128, 128, 20, 20, 20);
    }

    @Test
    void bilevelMasks() throws IOException {
        BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_BINARY);
        image.setRGB(1, 0, 0xffffff);
        assertThat(PictureFile.read(write(image, "png")).luma()).containsExactly(0, 255);
    }

    @ParameterizedTest
    @ValueSource(strings = {"png", "jpg", "bmp", "gif", "tif"})
    void formats(String format) throws IOException {
        BufferedImage image = new BufferedImage(40, 30, BufferedImage.TYPE_INT_RGB);
        image.createGraphics().fillRect(0, 0, 40, 30);
        Path file = write(image, format);
        Picture picture = PictureFile.read(file);
        assertThat(picture.width()).isEqualTo(40);
        assertThat(picture.height()).isEqualTo(30);
        assertThat(picture.rgb()).containsOnly(255);
        byte[] bytes = Files.readAllBytes(file);
        for (int size : new int[] {0, 1, 10, bytes.length / 2}) {
            Files.write(file, Arrays.copyOf(bytes, size));
            assertThatThrownBy(() -> PictureFile.read(file)).as("cut at %d", size).isInstanceOf(InputException.class)
                    .message().startsWith(file.toString()).doesNotContain("\n");
        }
    }

    /** Where a mask's colours say nothing, its transparency does; where they say something, it does not. */
    @ParameterizedTest
    @ValueSource(strings = {"ffffff", "000000", "0000ff"})
    void alphaAsMask(String colour) throws IOException {
        int rgb = Integer.parseInt(colour, 16);
        List<String> notes = new ArrayList<>();
        BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0xff000000 | rgb);
        image.setRGB(1, 0, rgb);
        image.setRGB(2, 0, 0x40000000 | rgb);
        assertThat(PictureFile.readMask(write(image, "png"), notes::add).luma()).containsExactly(255, 0, 64);
        assertThat(notes).singleElement().asString().contains("opaque is drawn anew", "OpenAI", "the opposite");

        notes.clear();
        image.setRGB(1, 0, rgb ^ 0xffffff);
        image.setRGB(0, 0, 0xffffffff);
        image.setRGB(2, 0, 0x40000000);
        Path colours = write(image, "png");
        assertThat(PictureFile.readMask(colours, notes::add).rgb()).isEqualTo(PictureFile.read(colours).rgb());
        assertThat(notes).isEmpty();
    }

    /** A picture with a hole in it is no mask by its colours, whatever stands in the hole. */
    @Test
    void aPictureWithAHole() throws IOException {
        List<String> notes = new ArrayList<>();
        BufferedImage image = new BufferedImage(4, 1, BufferedImage.TYPE_INT_ARGB);
        for (int x = 0; x < 4; x++) {
            image.setRGB(x, 0, new int[] {0xff804020, 0xffd0e0a0, 0xffffffff, 0x00ffffff}[x]);
        }
        assertThat(PictureFile.readMask(write(image, "png"), notes::add).luma()).containsExactly(255, 255, 255, 0);
        assertThat(notes).singleElement().asString().contains("colours are a picture's", "opaque is drawn anew");
    }

    @Test
    void masksWithoutUseOfTheirAlpha() throws IOException {
        List<String> notes = new ArrayList<>();
        BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_INT_ARGB);
        for (int alpha : new int[] {0, 0xff000000}) {
            image.setRGB(0, 0, alpha | 0xffffff);
            image.setRGB(1, 0, alpha | 0xffffff);
            assertThat(PictureFile.readMask(write(image, "png"), notes::add).luma()).containsExactly(255, 255);
        }
        assertThat(notes).isEmpty();
    }
}
