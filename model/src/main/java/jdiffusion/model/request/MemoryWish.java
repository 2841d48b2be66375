package jdiffusion.model.request;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.pipeline.MemoryChoice;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.tensor.InputException;

/**
 * How much memory a user lets us take, and what to do with it; null where nothing is said.
 *
 * @param offload  null for the fastest that fits
 * @param tiling   of the VAE: auto, on or off
 * @param tileSize side of a tile in pixels
 * @param budget   bytes
 */
public record MemoryWish(Offload offload, String tiling, Integer tileSize, Long budget) {
    public static final MemoryWish NONE = new MemoryWish(null, null, null, null);
    /** In a picture's text. */
    public static final String TILING = "VAE tiling";
    public static final String TILE_SIZE = "VAE tile size";
    private static final String OFF = "off";
    /** Of a device's free memory, left to the driver for the kernels; of very little an eighth. */
    private static final long DRIVERS_SHARE = 256L << 20;
    private static final int LEAST_TILE = 128;

    /** Whether a tiling of this name leaves tiles out. */
    public static boolean isOff(String tiling) {
        return tiling != null && tiling.equalsIgnoreCase(OFF);
    }

    /**
     * What a picture's file says of tiles: those that were used, whoever chose them, since another choice, on a machine
     * with other memory, would give another picture; else the user's wish.
     *
     * @param usedTile side of the tiles in pixels; 0 for none
     */
    public void describe(int usedTile, Map<String, String> fields) {
        if (usedTile > 0) {
            fields.put(TILING, "on");
            fields.put(TILE_SIZE, Integer.toString(usedTile));
            return;
        }
        if (tiling != null) {
            fields.put(TILING, tiling);
        }
        if (tileSize != null) {
            fields.put(TILE_SIZE, tileSize.toString());
        }
    }

    /**
     * The wish, before it is known what fits.
     *
     * @param factor pixels of the picture for one of the latents, on each side
     */
    public MemoryPolicy policy(int factor) {
        String wanted = tiling == null ? "auto" : tiling;
        MemoryPolicy.Tiling tiles = switch (wanted.toLowerCase(Locale.ROOT)) {
            case "auto" -> MemoryPolicy.Tiling.AUTO;
            case "on" -> MemoryPolicy.Tiling.ON;
            case OFF -> MemoryPolicy.Tiling.OFF;
            default -> throw new InputException("--vae-tiling " + tiling + " is unknown; use auto, on or off");
        };
        if (tileSize != null && tiles == MemoryPolicy.Tiling.OFF) {
            throw new InputException("--vae-tiling " + tiling + " and --vae-tile-size " + tileSize
                    + " contradict each other; leave one of them out");
        }
        if (tileSize != null && (tileSize < LEAST_TILE || tileSize % factor != 0)) {
            throw new InputException("--vae-tile-size is " + tileSize + "; use a multiple of " + factor + " from "
                    + LEAST_TILE + " on");
        }
        return new MemoryPolicy(offload == null ? Offload.STAGES : offload, Set.of(), tiles,
                tileSize == null ? 0 : tileSize / factor, budget == null ? Long.MAX_VALUE : budget);
    }

    /**
     * The pipeline under the fastest policy that fits; told to the user where memory decided.
     *
     * @param refined with which it draws; null without a refiner
     */
    public Pipeline fit(Pipeline pipeline, RefinedPipeline refined, GenerationRequest request, Backend backend,
                        Consumer<String> notes) {
        MemoryPolicy wish = policy(pipeline.latents().factor());
        if (wish.budget() == Long.MAX_VALUE && backend instanceof CudaBackend cuda) {
            long free = pipeline.second() instanceof CudaBackend second
                    ? Math.min(cuda.freeBytes(), second.freeBytes()) : cuda.freeBytes();
            wish = wish.withBudget(free - Math.min(DRIVERS_SHARE, free / 8));
        } else if (budget == null) {
            return pipeline.withPolicy(wish);
        }
        MemoryChoice choice = choose(pipeline.withPolicy(wish), refined, request);
        if (budget != null || choice.isReduced()) {
            notes.accept(choice.describe());
        }
        return choice.pipeline();
    }

    /**
     * The same for a pipeline that draws many requests one after the other: on the CPU all stays, since weights lie in
     * mapped files; on a device what fits.
     */
    public Pipeline keep(Pipeline pipeline, GenerationRequest request, Backend backend, Consumer<String> notes) {
        if (offload == null && budget == null && !(backend instanceof CudaBackend)) {
            MemoryPolicy asked = policy(pipeline.latents().factor());
            return pipeline.withPolicy(new MemoryPolicy(Offload.NONE, asked.streamed(), asked.tiling(), asked.tile(),
                    asked.budget()));
        }
        // For several pictures it is tried first whether the model can stay.
        GenerationRequest several = request.toBuilder().images(Math.max(2, request.images())).build();
        return fit(pipeline, null, several, backend, notes);
    }

    /**
     * What the user wishes of the offloading, and what fits of it.
     *
     * @param refined with which the pipeline draws; null without a refiner
     */
    public MemoryChoice choose(Pipeline pipeline, RefinedPipeline refined, GenerationRequest request) {
        return MemoryChoice.of(pipeline, request, offload, (one, r) ->
                refined == null ? one.plan(r) : refined.over(one).plan(r));
    }
}
