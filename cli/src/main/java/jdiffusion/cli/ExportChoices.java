package jdiffusion.cli;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** What of a model is written. */
final class ExportChoices {
    @Option(names = "--components", paramLabel = "LIST",
            description = "Some of denoiser, vae, clip-l, clip-g, t5, with commas between. Default: all"
                + " (of 'convert' to a file of layout single or GGUF the denoiser).")
    String components;

    /** @param otherwise what is written when nothing is said */
    Set<Component> components(Set<Component> otherwise) {
        if (components == null) {
            return otherwise;
        }
        Set<Component> chosen = EnumSet.noneOf(Component.class);
        for (String label : components.split(",")) {
            Component component = Component.ofOption(label.strip());
            if (component == null) {
                throw new InputException("--components: '" + InputException.shown(label.strip())
                        + "' is no component; use denoiser, vae, clip-l, clip-g, t5");
            }
            chosen.add(component);
        }
        return chosen;
    }

    /** The type of that name; null for none. */
    static DType type(String label) {
        if (label == null) {
            return null;
        }
        return switch (label.toLowerCase(Locale.ROOT)) {
            case "bf16" -> DType.BF16;
            case "f16" -> DType.F16;
            case "f32" -> DType.F32;
            default -> throw new InputException("--dtype is " + InputException.shown(label)
                    + "; use bf16, f16 or f32");
        };
    }
}
