package jdiffusion.model.checkpoint;

import jdiffusion.model.mmdit.MmditConfig;

/**
 * The published models of the SD3 architecture, told apart by the denoiser's shapes, with the settings that their
 * model cards and pipelines name. SD3.5 Large Turbo has Large's shapes and is taken for it.
 */
public enum Family {
    SD3_MEDIUM("SD3 Medium (MMDiT)", 28, 7.0f),
    SD35_MEDIUM("SD3.5 Medium (MMDiT-X)", 40, 4.5f),
    SD35_LARGE("SD3.5 Large (MMDiT)", 40, 4.5f);

    private final String label;
    private final int steps;
    private final float guidance;

    Family(String label, int steps, float guidance) {
        this.label = label;
        this.steps = steps;
        this.guidance = guidance;
    }

    public static Family of(MmditConfig config) {
        return !config.dualBlocks().isEmpty() ? SD35_MEDIUM : config.qkNorm() ? SD35_LARGE : SD3_MEDIUM;
    }

    public String label() {
        return label;
    }

    public int steps() {
        return steps;
    }

    public float guidance() {
        return guidance;
    }
}
