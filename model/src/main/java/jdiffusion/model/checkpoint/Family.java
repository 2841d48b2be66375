package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.tensor.InputException;

/**
 * The published models of the SD3 architecture with the settings that their model cards and pipelines name. They are
 * told apart by the denoiser's shapes; SD3.5 Large Turbo has Large's, and only its name tells it. All are sampled with
 * Euler steps at a shift of 3.
 */
public enum Family {
    SD3_MEDIUM("sd3-medium", "SD3 Medium (MMDiT)", 28, 7.0f),
    SD35_MEDIUM("sd3.5-medium", "SD3.5 Medium (MMDiT-X)", 40, 4.5f),
    SD35_LARGE("sd3.5-large", "SD3.5 Large (MMDiT)", 40, 4.5f),
    SD35_LARGE_TURBO("sd3.5-large-turbo", "SD3.5 Large Turbo (MMDiT)", 4, 1.0f);

    /** What the schedules of all of them were made with. */
    public static final double SHIFT = 3;

    private static final int FOLDERS_ABOVE = 2;

    private final String variant;
    private final String label;
    private final int steps;
    private final float guidance;

    Family(String variant, String label, int steps, float guidance) {
        this.variant = variant;
        this.label = label;
        this.steps = steps;
        this.guidance = guidance;
    }

    /** By shapes alone. */
    public static Family of(MmditConfig config) {
        return !config.dualBlocks().isEmpty() ? SD35_MEDIUM : config.qkNorm() ? SD35_LARGE : SD3_MEDIUM;
    }

    /**
     * By shapes, and where they leave it open by what the user says or else the model's name.
     *
     * @param chosen by the user, or null
     * @param model  file of the denoiser, or folder of the model
     * @throws InputException when the shapes are not those of the chosen one
     */
    static Family of(MmditConfig config, Family chosen, Path model) {
        Family byShapes = of(config);
        if (chosen == null) {
            return byShapes == SD35_LARGE && saysTurbo(model) ? SD35_LARGE_TURBO : byShapes;
        }
        if (chosen != byShapes && !(chosen == SD35_LARGE_TURBO && byShapes == SD35_LARGE)) {
            throw new InputException(model + ": --variant says " + chosen.variant + ", but the denoiser is "
                    + byShapes.label + ": " + config.depth() + " blocks of width " + config.hidden()
                    + (config.qkNorm() ? ", with" : ", without") + " QK norm, " + config.dualBlocks().size()
                    + " of them with a second attention; leave --variant out");
        }
        return chosen;
    }

    /** The name says it, or, as in the Hugging Face cache, that of one of the two folders above. */
    private static boolean saysTurbo(Path model) {
        Path path = model.toAbsolutePath().normalize();
        for (int above = 0; above <= FOLDERS_ABOVE && path != null && path.getFileName() != null; above++) {
            String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
            if (above == 0 ? name.contains("turbo") : name.matches(".*large[-_. ]?turbo.*")) {
                return true;
            }
            path = path.getParent();
        }
        return false;
    }

    /** The one of that name on the command line. */
    public static Family of(String variant) {
        for (Family family : values()) {
            if (family.variant.equals(variant.toLowerCase(Locale.ROOT))) {
                return family;
            }
        }
        throw new InputException("the variant '" + variant + "' is unknown; use one of "
                + Arrays.stream(values()).map(Family::variant).collect(Collectors.joining(", ")));
    }

    /** Its name on the command line. */
    public String variant() {
        return variant;
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
