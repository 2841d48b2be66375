package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every colour space and sample format against what Pillow 12.3 gives for {@code exif_transpose} and
 * {@code convert("RGB")}; of 16-bit grey its upper byte.
 */
class StoredValuesTest {
    private static final String EXPECTED = ".expected.png";

    static List<String> stored() throws IOException {
        return Pictures.names("stored").stream().filter(name -> !name.endsWith(EXPECTED)).toList();
    }

    @ParameterizedTest
    @MethodSource("stored")
    void asPillow(String name) {
        Picture picture = PictureFile.read(Pictures.file(name));
        Picture expected = PictureFile.read(Pictures.file(name + EXPECTED));
        assertThat(picture.width()).isEqualTo(expected.width());
        assertThat(picture.rgb()).isEqualTo(expected.rgb());
    }

    static List<String> refused() throws IOException {
        return Pictures.names("refused");
    }

    @ParameterizedTest
    @MethodSource("refused")
    void refusedInOneLine(String name) {
        assertThatThrownBy(() -> PictureFile.read(Pictures.file(name))).isInstanceOf(InputException.class).message()
                .startsWith(Pictures.file(name) + ": ").doesNotContain("\n");
    }

    @Test
    void refusalsSayWhy() {
        for (String[] wanted : new String[][] {{"lab.tif", "neither grey, RGB nor CMYK"},
            {"float.tif", "save it with 8 bits"}, {"huge.png", "70000x70000, more than 64 million"},
            {"picture.webp", "use PNG, JPEG, BMP, GIF or TIFF"}}) {
            assertThatThrownBy(() -> PictureFile.read(Pictures.file("refused/" + wanted[0])))
                    .hasMessageContaining(wanted[1]);
        }
    }

    /** The same picture with a profile of Display P3 in both formats: within JPEG's loss. */
    @Test
    void profilesAreIgnoredInBothFormats() {
        byte[] png = PictureFile.read(Pictures.file("stored/p3.png")).rgb();
        byte[] tiff = PictureFile.read(Pictures.file("stored/p3.tif")).rgb();
        byte[] without = PictureFile.read(Pictures.file("stored/rgb.bmp")).rgb();
        assertThat(png).isEqualTo(without);
        assertThat(tiff).isEqualTo(without);
    }
}
