package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which tile products take. */
class GemmTileTest {
    /** Layers of the medium transformer for two pictures of 1024x1024, and smaller ones, on an A100 and an H100. */
    @ParameterizedTest
    @CsvSource({"8192, 1536, 108, BROAD", "8192, 1536, 132, BROAD", "8192, 6144, 132, BROAD", "2, 9216, 108, SMALL",
        "1024, 1536, 108, LARGE", "8192, 64, 108, SMALL", "666, 1536, 132, SMALL", "2048, 1664, 108, LARGE",
        "2048, 2304, 108, LARGE", "1152, 3072, 108, BROAD", "1152, 3072, 200, BROAD", "1152, 3072, 217, LARGE"})
    void theLargestThatPays(int m, int n, int multiprocessors, GemmTile tile) {
        assertThat(GemmTile.BROAD.orSmaller(m, n, multiprocessors)).isEqualTo(tile);
    }

    /**
     * On an H100, by turns of its busiest multiprocessor, of which one of the broad tile counts as 1.6 of the large one:
     * 3 or 6, 12 or 24, 1 or 1, 1 or 2 (the broad tiles in the last columns are half empty), 2 or 3.
     */
    @ParameterizedTest
    @CsvSource({"8192, 1536, WARPGROUP_BROAD", "8192, 6144, WARPGROUP_BROAD", "1024, 1536, WARPGROUP_LARGE",
        "8192, 384, WARPGROUP_BROAD", "2048, 2304, WARPGROUP_LARGE"})
    void warpgroupsTakeTheTileThatEndsSooner(int m, int n, GemmTile tile) {
        assertThat(GemmTile.ofWarpgroups(each -> each.blocks(m, n), 132)).isEqualTo(tile);
    }

    /**
     * On an H100: 64 and 32 rows of tiles; one; three, whose last pair is half empty, where the card is not full, and
     * where pairs would take a second round; nine by eleven, 99 blocks or 55 pairs.
     */
    @ParameterizedTest
    @CsvSource({"8192, 6144, WARPGROUP_BROAD, true", "128, 24576, WARPGROUP_BROAD, false",
        "384, 3072, WARPGROUP_BROAD, true", "384, 11264, WARPGROUP_BROAD, false",
        "1100, 1290, WARPGROUP_LARGE, true", "129, 64, WARPGROUP_LARGE, true", "1, 64, WARPGROUP_LARGE, false"})
    void pairsOfBlocksWhereTheyTakeNoLonger(int m, int n, GemmTile tile, boolean pair) {
        assertThat(tile.orPair(each -> each.blocks(m, n), m, 132).blocksTogether()).isEqualTo(pair ? 2 : 1);
        assertThat(tile.orPair(each -> each.blocks(m, n), m, 1)).as("a single multiprocessor").isEqualTo(tile);
    }

    @Test
    void kernelsWithoutABroadTileTakeTheNextOne() {
        assertThat(GemmTile.LARGE.orSmaller(8192, 6144, 132)).isEqualTo(GemmTile.LARGE);
        assertThat(GemmTile.BLOCKS_WIDE.orSmaller(8192, 6144, 132)).isEqualTo(GemmTile.BLOCKS_WIDE);
        assertThat(GemmTile.SMALL.orSmaller(8192, 6144, 132)).isEqualTo(GemmTile.SMALL);
    }
}
