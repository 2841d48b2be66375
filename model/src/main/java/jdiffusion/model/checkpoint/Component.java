package jdiffusion.model.checkpoint;

import java.util.List;
import java.util.Locale;
import jdiffusion.model.tokenizer.TokenizerKind;

/** The networks of an SD3 pipeline, with their folders in the diffusers layout. */
public enum Component {
    CLIP_L("CLIP-L", "text_encoder", "tokenizer", "model"),
    CLIP_G("CLIP-G", "text_encoder_2", "tokenizer_2", "model"),
    T5("T5", "text_encoder_3", "tokenizer_3", "model"),
    DENOISER("the denoiser", "transformer", null, "diffusion_pytorch_model"),
    VAE("the VAE", "vae", null, "diffusion_pytorch_model");

    /** The encoders of text, in the order in which their outputs are joined. */
    public static final List<Component> ENCODERS = List.of(CLIP_L, CLIP_G, T5);

    private final String label;
    private final String folder;
    private final String tokenizer;
    private final String weights;

    Component(String label, String folder, String tokenizer, String weights) {
        this.label = label;
        this.folder = folder;
        this.tokenizer = tokenizer;
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

    public String folder() {
        return folder;
    }

    /** Folder of the tokenizer that feeds this component; null when it reads no text. */
    public String tokenizerFolder() {
        return tokenizer;
    }

    /** The kind of that tokenizer; null when it reads no text. */
    public TokenizerKind tokenizerKind() {
        return tokenizer == null ? null : this == T5 ? TokenizerKind.T5 : TokenizerKind.CLIP;
    }

    /** Name of the weights file without {@code .safetensors}. */
    public String weights() {
        return weights;
    }
}
