package jdiffusion.cli;

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
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** How much memory to take, and what to do with it. */
final class MemoryOptions {
    /** Of a device's free memory, left to the driver for the kernels; of very little an eighth. */
    private static final long DRIVERS_SHARE = 256L << 20;
    private static final int LEAST_TILE = 128;
    private static final String OFF = "off";
    static final String TILING = "VAE tiling";
    static final String TILE_SIZE = "VAE tile size";

    @Option(names = "--offload", paramLabel = "NAME", completionCandidates = Choices.Offloads.class,
            description = "What is in a device's memory at a time: ${COMPLETION-CANDIDATES} (everything, one component,"
                + " two blocks of one component). Default: the fastest that fits.")
    String offload;

    @Option(names = "--vae-tiling", paramLabel = "NAME", completionCandidates = Choices.Tilings.class,
            description = "Let the VAE work on tiles: ${COMPLETION-CANDIDATES} (where memory asks for it). Default:"
                + " auto.")
    String vaeTiling;

    @Option(names = "--vae-tile-size", paramLabel = "PIXELS",
            description = "Side of a tile. Default: 512, 384 or 256, the largest that fits.")
    Integer tileSize;

    @Option(names = "--vram", paramLabel = "SIZE", converter = ByteSize.class,
            description = "Memory to keep to, such as 8GiB; on the CPU, beside the mapped files. Default: what is free"
                + " on the device.")
    Long vram;

    private int usedTile;

    /** Whether the user wishes anything that has to be looked into beforehand. */
    boolean hasBudget() {
        return vram != null;
    }

    /** Sees on which tiles pictures are decoded, for {@link #describe}. */
    Progress follower() {
        return new Progress() {
            @Override
            public void used(Stage stage, StageMemory memory) {
                usedTile = stage == Stage.DECODE ? memory.tile() : usedTile;
            }
        };
    }

    /**
     * What a picture's file says of tiles: those that were used, whoever chose them, since another choice, on a machine
     * with other memory, would give another picture; else the user's wish.
     */
    void describe(Map<String, String> fields) {
        if (usedTile > 0) {
            fields.put(TILING, "on");
            fields.put(TILE_SIZE, Integer.toString(usedTile));
            return;
        }
        if (vaeTiling != null) {
            fields.put(TILING, vaeTiling);
        }
        if (tileSize != null) {
            fields.put(TILE_SIZE, tileSize.toString());
        }
    }

    /** Takes what a picture's file says where the user says nothing. */
    void fill(String tiling, Integer size) {
        boolean off = vaeTiling != null && vaeTiling.equalsIgnoreCase(OFF);
        tileSize = tileSize == null && !off ? size : tileSize;
        vaeTiling = vaeTiling == null ? tiling : vaeTiling;
    }

    /** The wish, before it is known what fits. */
    MemoryPolicy policy(int factor) {
        String wanted = vaeTiling == null ? "auto" : vaeTiling;
        MemoryPolicy.Tiling tiling = switch (wanted.toLowerCase(Locale.ROOT)) {
            case "auto" -> MemoryPolicy.Tiling.AUTO;
            case "on" -> MemoryPolicy.Tiling.ON;
            case OFF -> MemoryPolicy.Tiling.OFF;
            default -> throw new InputException("--vae-tiling " + vaeTiling + " is unknown; use auto, on or off");
        };
        if (tileSize != null && tiling == MemoryPolicy.Tiling.OFF) {
            throw new InputException("--vae-tiling " + vaeTiling + " and --vae-tile-size " + tileSize
                    + " contradict each other; leave one of them out");
        }
        if (tileSize != null && (tileSize < LEAST_TILE || tileSize % factor != 0)) {
            throw new InputException("--vae-tile-size is " + tileSize + "; use a multiple of " + factor + " from "
                    + LEAST_TILE + " on");
        }
        return new MemoryPolicy(offload == null ? Offload.STAGES : Offload.of(offload), Set.of(), tiling,
                tileSize == null ? 0 : tileSize / factor, vram == null ? Long.MAX_VALUE : vram);
    }

    /**
     * The pipeline under the fastest policy that fits; told to the user where memory decided.
     *
     * @param refined with which it draws; null without a refiner
     */
    Pipeline fit(Pipeline pipeline, RefinedPipeline refined, GenerationRequest request, Backend backend,
                 Consumer<String> notes) {
        MemoryPolicy wish = policy(pipeline.latents().factor());
        if (wish.budget() == Long.MAX_VALUE && backend instanceof CudaBackend cuda) {
            long free = cuda.freeBytes();
            wish = wish.withBudget(free - Math.min(DRIVERS_SHARE, free / 8));
        } else if (!hasBudget()) {
            return pipeline.withPolicy(wish);
        }
        MemoryChoice choice = choose(pipeline.withPolicy(wish), refined, request);
        if (hasBudget() || choice.isReduced()) {
            notes.accept(choice.describe());
        }
        return choice.pipeline();
    }

    /**
     * What the user wishes of the offloading, and what fits of it.
     *
     * @param refined with which the pipeline draws; null without a refiner
     */
    MemoryChoice choose(Pipeline pipeline, RefinedPipeline refined, GenerationRequest request) {
        return MemoryChoice.of(pipeline, request, offload == null ? null : Offload.of(offload), (one, r) ->
                refined == null ? one.plan(r) : refined.over(one).plan(r));
    }
}
