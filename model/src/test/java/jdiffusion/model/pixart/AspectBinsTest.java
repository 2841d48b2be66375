package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.model.family.PixelSize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The sizes that are drawn for those that are asked for. */
class AspectBinsTest {
    /** Widths and heights as diffusers' {@code classify_height_width_bin} gives them. */
    @ParameterizedTest
    @CsvSource({"32, 72, 48, 304, 208", "32, 60, 137, 160, 384", "32, 1, 1, 256, 256", "64, 640, 480, 576, 416",
        "64, 480, 640, 448, 576", "128, 1920, 1080, 1344, 768", "128, 1000, 1000, 1024, 1024",
        "128, 10, 1000, 512, 2048", "128, 1000, 10, 2048, 512", "128, 1000, 265, 2048, 512",
        "128, 1000, 280, 1856, 512", "256, 1000, 265, 3968, 1024", "256, 1000, 274, 3840, 1024",
        "256, 1000, 275, 3840, 1024", "256, 1000, 258, 3968, 1024", "256, 1000, 3650, 1024, 3712",
        "256, 1000, 3040, 1152, 3456", "256, 1000, 3055, 1152, 3584", "256, 1, 1, 2048, 2048",
        "256, 400, 110, 3840, 1024"})
    void isTheNearestInShape(int side, int width, int height, int drawnWidth, int drawnHeight) {
        assertThat(AspectBins.nearest(side, width, height)).isEqualTo(new PixelSize(drawnWidth, drawnHeight));
    }

    /** All sizes up to 199 by 199, against a sum over what diffusers gives for them. */
    @Test
    void allSizes() {
        long sum = 0;
        for (int side : new int[] {256, 128, 64, 32}) {
            for (int width = 1; width < 200; width++) {
                for (int height = 1; height < 200; height++) {
                    PixelSize bin = AspectBins.nearest(side, width, height);
                    sum = (sum * 31 + bin.width() * 7 + bin.height()) % 1_000_000_007;
                }
            }
        }
        assertThat(sum).isEqualTo(695_891_618);
    }

    @Test
    void aSizeOfTheTableIsDrawnAsItIs() {
        for (int side : new int[] {32, 64, 128, 256}) {
            for (int width = 1; width <= 64; width++) {
                for (int height = 1; height <= 64; height++) {
                    PixelSize bin = AspectBins.nearest(side, width, height);
                    assertThat(bin.width() % 16).isZero();
                    assertThat(bin.height() % 16).isZero();
                    assertThat(AspectBins.nearest(side, bin.width(), bin.height())).isEqualTo(bin);
                }
            }
        }
    }

    @Test
    void otherModelsHaveNoTable() {
        for (int side : new int[] {1, 16, 48, 96, 127, 512}) {
            assertThat(AspectBins.isKnown(side)).isFalse();
        }
        for (int side : new int[] {32, 64, 128, 256}) {
            assertThat(AspectBins.isKnown(side)).isTrue();
        }
    }
}
