package jdiffusion.model.checkpoint;

import java.util.List;
import java.util.Locale;

/**
 * What a network is for. A family has some of them; where their files are is said by its {@link Architecture}. Text
 * encoders of one role have one kind of tokenizer: T5 stands for its kin, too.
 */
public enum Component {
    CLIP_L("CLIP-L", "model"),
    CLIP_G("CLIP-G", "model"),
    T5("T5", "model"),
    DENOISER("the denoiser", "diffusion_pytorch_model"),
    VAE("the VAE", "diffusion_pytorch_model");

    /** The encoders of text. */
    public static final List<Component> ENCODERS = List.of(CLIP_L, CLIP_G, T5);

    private final String label;
    private final String weights;

    Component(String label, String weights) {
        this.label = label;
        this.weights = weights;
    }

    /** What it is called in messages. */
    public String label() {
        return label;
    }

    /** What it is called in options: denoiser, clip-l. */
    public String option() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The component of that {@link #option}, an underscore in it too; null when there is none. */
    public static Component ofOption(String option) {
        for (Component component : values()) {
            if (component.option().equals(option.toLowerCase(Locale.ROOT).replace('_', '-'))) {
                return component;
            }
        }
        return null;
    }

    /** Whether it reads text. */
    public boolean isEncoder() {
        return ENCODERS.contains(this);
    }

    /** Name of the weights file in the diffusers layout without {@code .safetensors}. */
    public String weights() {
        return weights;
    }
}
