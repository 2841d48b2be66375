package jdiffusion.model.vae;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TilesTest {
    private static float[] numbers(int size) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = i % 97 - 31;
        }
        return values;
    }

    /** What every tile leaves as it is comes together again as it was, at other scales too. */
    @Test
    void tilesCutAndAddedAreTheImage() {
        int[][] sizes = {{1, 1, 4}, {5, 9, 4}, {16, 16, 16}, {17, 40, 8}, {31, 33, 9}, {64, 3, 10}, {100, 7, 64}};
        for (int[] size : sizes) {
            for (int scale : new int[] {1, 3}) {
                Tiles tiles = Tiles.of(size[0], size[1], size[2]);
                int values = 2 * size[0] * size[1] * scale * scale;
                float[] image = numbers(values + 5);
                float[] out = new float[values + 5];
                for (int tile = 0; tile < tiles.count(); tile++) {
                    float[] cut = tiles.cut(tile, image, 5, 2, scale);
                    assertThat(cut).hasSize(2 * tiles.height() * tiles.width() * scale * scale);
                    tiles.add(tile, cut, out, 5, 2, scale);
                }
                for (int i = 0; i < out.length; i++) {
                    assertThat(out[i]).as("%dx%d, value %d", size[0], size[1], i)
                            .isCloseTo(i < 5 ? 0 : image[i], within(1e-4f));
                }
            }
        }
    }

    @Test
    void tilesAreEquallyLongAndOverlapByAQuarter() {
        for (int size = 2; size < 200; size++) {
            for (int longest = 8; longest <= 64; longest += 7) {
                Tiles tiles = Tiles.of(1, size, longest);
                assertThat(tiles.width()).isEqualTo(Math.min(size, longest));
                float[] covered = new float[size];
                for (int tile = 0; tile < tiles.count(); tile++) {
                    float[] ones = new float[tiles.width()];
                    java.util.Arrays.fill(ones, 1);
                    float[] one = new float[size];
                    tiles.add(tile, ones, one, 0, 1, 1);
                    int fading = 0;
                    for (int i = 0; i < size; i++) {
                        covered[i] += one[i];
                        fading += one[i] > 0 && one[i] < 1 ? 1 : 0;
                    }
                    assertThat(fading).isGreaterThanOrEqualTo(
                            tiles.count() == 1 ? 0 : Math.min(longest / 4, size - longest) - 1);
                }
                for (float sum : covered) {
                    assertThat(sum).isCloseTo(1, within(1e-5f));
                }
            }
        }
    }

    @Test
    void theWholeIsOneTileOfFullWeight() {
        Tiles whole = Tiles.whole(3, 5);
        float[] out = new float[15];
        whole.add(0, numbers(15), out, 0, 1, 1);
        assertThat(whole.count()).isEqualTo(1);
        assertThat(out).isEqualTo(numbers(15));
    }
}
