package jdiffusion.cli;

import java.util.Map;
import jdiffusion.model.family.Progress;
import jdiffusion.model.request.MemoryWish;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import picocli.CommandLine.Option;

/** How much memory to take, and what to do with it. */
final class MemoryOptions {
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

    /** What the user says. */
    MemoryWish wish() {
        return new MemoryWish(offload == null ? null : Offload.of(offload), vaeTiling, tileSize, vram);
    }

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

    void describe(Map<String, String> fields) {
        wish().describe(usedTile, fields);
    }

    /** Takes what a picture's file says where the user says nothing. */
    void fill(String tiling, Integer size) {
        tileSize = tileSize == null && !MemoryWish.isOff(vaeTiling) ? size : tileSize;
        vaeTiling = vaeTiling == null ? tiling : vaeTiling;
    }
}
