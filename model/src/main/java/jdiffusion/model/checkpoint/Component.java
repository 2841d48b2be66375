package jdiffusion.model.checkpoint;

/** The networks of an SD3 pipeline, with their folders in the diffusers layout. */
public enum Component {
    CLIP_L("text_encoder", "tokenizer", "model"),
    CLIP_G("text_encoder_2", "tokenizer_2", "model"),
    T5("text_encoder_3", "tokenizer_3", "model"),
    DENOISER("transformer", null, "diffusion_pytorch_model"),
    VAE("vae", null, "diffusion_pytorch_model");

    private final String folder;
    private final String tokenizer;
    private final String weights;

    Component(String folder, String tokenizer, String weights) {
        this.folder = folder;
        this.tokenizer = tokenizer;
        this.weights = weights;
    }

    public String folder() {
        return folder;
    }

    /** Folder of the tokenizer that feeds this component; null when it reads no text. */
    public String tokenizerFolder() {
        return tokenizer;
    }

    /** Name of the weights file without {@code .safetensors}. */
    public String weights() {
        return weights;
    }
}
