package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.Outgoing;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;

/**
 * A checkpoint of the shapes of a published one, or small ones of the same structure, with random weights: for tests
 * and benchmarks. The same seed gives the same numbers.
 */
public record SyntheticModel(DenoiserSizes denoiser, ClipSizes clipL, ClipSizes clipG, T5Sizes t5, VaeSizes vae,
                             double shift) {
    /** Which published model. */
    public enum Kind {
        SD3_MEDIUM, SD35_MEDIUM, SD35_LARGE;

        public String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        /** The kind of that label, with or without the dot of 3.5. */
        public static Kind of(String label) {
            for (Kind kind : values()) {
                if (kind.label().equals(label.toLowerCase(Locale.ROOT).replace("sd3.5", "sd35"))) {
                    return kind;
                }
            }
            throw new InputException("'" + InputException.shown(label) + "' is no family; use "
                    + Arrays.stream(values()).map(Kind::label).collect(Collectors.joining(", ")));
        }
    }

    /**
     * Rows of the token tables.
     *
     * @param clipL of CLIP-L
     * @param clipG of CLIP-G
     * @param t5    of T5
     */
    public record Vocabularies(int clipL, int clipG, int t5) {
        /** Those of the published models. */
        public static final Vocabularies PUBLISHED = new Vocabularies(49408, 49408, 32128);
    }

    /** The published sizes. */
    public static SyntheticModel full(Kind kind) {
        Vocabularies v = Vocabularies.PUBLISHED;
        return new SyntheticModel(switch (kind) {
            case SD3_MEDIUM -> new DenoiserSizes(24, 24, 0, false, 192, 128, 4096, 2048);
            case SD35_MEDIUM -> new DenoiserSizes(24, 24, 13, true, 384, 128, 4096, 2048);
            case SD35_LARGE -> new DenoiserSizes(38, 38, 0, true, 192, 128, 4096, 2048);
        }, new ClipSizes(v.clipL, 768, 12, 3072, 12, 768, "quick_gelu"),
                new ClipSizes(v.clipG, 1280, 20, 5120, 32, 1280, "gelu"),
                new T5Sizes(v.t5, 4096, 64, 64, 10240, 24), new VaeSizes(List.of(128, 256, 512, 512), 2, 1024), 3);
    }

    /** Sizes that compute in a moment; Large's width is no multiple of 128, as the published one's is none of 256. */
    public static SyntheticModel tiny(Kind kind, Vocabularies v) {
        return new SyntheticModel(switch (kind) {
            case SD3_MEDIUM -> new DenoiserSizes(2, 2, 0, false, 12, 8, 128, 64);
            case SD35_MEDIUM -> new DenoiserSizes(2, 2, 1, true, 12, 8, 128, 64);
            case SD35_LARGE -> new DenoiserSizes(3, 3, 0, true, 12, 8, 128, 64);
        }, new ClipSizes(v.clipL, 32, 2, 64, 2, 32, "quick_gelu"), new ClipSizes(v.clipG, 64, 2, 128, 2, 32, "gelu"),
                new T5Sizes(v.t5, 128, 4, 32, 192, 2), new VaeSizes(List.of(32, 32, 64, 64), 1, 64), 3);
    }

    /** The same with a T5 of fewer blocks, which takes as much less time and memory. */
    public SyntheticModel withT5Blocks(int blocks) {
        return new SyntheticModel(denoiser, clipL, clipG, new T5Sizes(t5.vocabulary(), t5.hidden(), t5.heads(),
                t5.headDim(), t5.inner(), Math.min(blocks, t5.depth())), vae, shift);
    }

    /** Side in patches of the largest picture that the denoiser has positions for. */
    public int positions() {
        return denoiser.positions();
    }

    /** The component's config.json. */
    public ObjectNode config(Component component) {
        return switch (component) {
            case DENOISER -> denoiser.config();
            case CLIP_L -> clipL.config();
            case CLIP_G -> clipG.config();
            case T5 -> t5.config();
            case VAE -> vae.config();
        };
    }

    /** The component's tensors under the names of the diffusers layout. */
    public List<Outgoing> tensors(Component component, long seed, DType type) {
        TensorList list = new TensorList(component.folder(), seed, type);
        switch (component) {
            case DENOISER -> denoiser.tensors(list);
            case CLIP_L -> clipL.tensors(list);
            case CLIP_G -> clipG.tensors(list);
            case T5 -> t5.tensors(list);
            case VAE -> vae.tensors(list);
        }
        return list.tensors();
    }
}
