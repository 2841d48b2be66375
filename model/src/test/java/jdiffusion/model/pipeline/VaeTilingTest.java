package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import org.junit.jupiter.api.Test;

/** Pictures of the default model through an autoencoder that works on tiles, against those of the whole. */
class VaeTilingTest {
    private static final int SIZE = 128;
    private static final int FACTOR = 8;
    private static final int TILE = 10 * FACTOR;
    /** The second tile begins at the one, the first ends at the other. */
    private static final int FADE_START = SIZE - TILE;
    private static final int FADE_END = TILE;
    private static final int NEIGHBOURS = 3;
    /** What tiles change there may change from column to column at most so many times as much as nearby. */
    private static final double MOST_STEP = 1.5;
    /** Of 255, what a pixel may differ by on average; norms and attention see less in a tile. */
    private static final double MOST_DIFFERENCE = 3;

    private record Drawn(Picture picture, List<StageMemory> memory) {
    }

    private static Drawn draw(Backend backend, MemoryPolicy policy) {
        List<StageMemory> memory = new ArrayList<>();
        try (Pipeline pipeline = Pipeline.open(Families.open(TestData.defaultModel(), ModelSources.NONE), backend,
                policy)) {
            GenerationRequest request = pipeline.request("a large yellow star on a purple background").toBuilder()
                    .size(SIZE, SIZE).steps(6).seed(7).t5Length(20).build();
            Picture picture = pipeline.generate(request, new Progress() {
                @Override
                public void used(Stage stage, StageMemory used) {
                    memory.add(used);
                }
            }).getFirst();
            return new Drawn(picture, memory);
        }
    }

    private static int value(Picture picture, int x, int y, int channel) {
        return picture.rgb()[(y * picture.width() + x) * 3 + channel] & 0xff;
    }

    /** The mean step from column x - 1 to x of what the tiles changed. */
    private static double step(Picture tiled, Picture whole, int x) {
        double sum = 0;
        for (int y = 0; y < SIZE; y++) {
            for (int c = 0; c < 3; c++) {
                sum += Math.abs(value(tiled, x, y, c) - value(whole, x, y, c)
                        - (value(tiled, x - 1, y, c) - value(whole, x - 1, y, c)));
            }
        }
        return sum / (3 * SIZE);
    }

    @Test
    void tilesGiveThePictureOfTheWholeWithoutSeams() {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            MemoryPolicy stages = MemoryPolicy.of(Offload.STAGES);
            Drawn whole = draw(backend, stages);
            Drawn tiled = draw(backend, stages.withTiling(MemoryPolicy.Tiling.ON, TILE / FACTOR));
            double difference = 0;
            for (int i = 0; i < whole.picture.rgb().length; i++) {
                difference += Math.abs((whole.picture.rgb()[i] & 0xff) - (tiled.picture.rgb()[i] & 0xff));
            }
            assertThat(difference / whole.picture.rgb().length).isPositive().isLessThan(MOST_DIFFERENCE);
            for (int seam = FADE_START; seam <= FADE_END; seam++) {
                double around = 0;
                for (int x = seam - NEIGHBOURS; x <= seam + NEIGHBOURS; x++) {
                    around = x == seam ? around : Math.max(around, step(tiled.picture, whole.picture, x));
                }
                assertThat(step(tiled.picture, whole.picture, seam)).as("a seam at %d", seam)
                        .isLessThan(MOST_STEP * around);
            }
            assertThat(tiled.memory.getLast().tile()).isEqualTo(TILE);
            assertThat(whole.memory.getLast().tile()).isZero();
            assertThat(tiled.memory.getLast().peak()).isLessThan(whole.memory.getLast().peak());
        }
    }

    /** Where the budget does not suffice for the whole, tiles are as large as it allows. */
    @Test
    void aBudgetAsksForTiles() {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            MemoryPolicy auto = MemoryPolicy.of(Offload.STAGES).withTiling(MemoryPolicy.Tiling.AUTO, TILE / FACTOR);
            StageMemory whole = draw(backend, auto).memory.getLast();
            assertThat(whole.tile()).isZero();
            assertThat(draw(backend, auto.withBudget(whole.peak())).memory.getLast()).isEqualTo(whole);
            StageMemory tiled = draw(backend, auto.withBudget(whole.peak() - 1)).memory.getLast();
            assertThat(tiled.tile()).isEqualTo(TILE);
            assertThat(tiled.peak()).isLessThan(whole.peak());
            StageMemory off = draw(backend, auto.withBudget(1).withTiling(MemoryPolicy.Tiling.OFF, 0)).memory.getLast();
            assertThat(off.peak()).isEqualTo(whole.peak());
        }
    }
}
