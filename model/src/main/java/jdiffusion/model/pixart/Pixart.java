package jdiffusion.model.pixart;

import java.util.Arrays;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.text.T5Network;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.model.vae.VaeNetwork;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * PixArt-Sigma (Chen et al., "PixArt-Sigma: Weak-to-Strong Training of Diffusion Transformer for 4K Text-to-Image
 * Generation", 2024): a diffusion transformer of 0.6 G on SDXL's latents that reads T5 and predicts the noise. Models
 * of PixArt-alpha for pictures of 1024 pixels differ in that they are told the picture's size.
 */
public final class Pixart implements Family {
    private static final Variant SIGMA = new Variant("pixart-sigma", "PixArt-Sigma", 20, 4.5f);
    private static final Variant ALPHA = new Variant("pixart-alpha", "PixArt-alpha", 20, 4.5f);
    static final double LATENT_SCALE = 0.13025;

    private static final List<ComponentFormat> FORMATS = List.of(
            new ComponentFormat(Component.T5, T5Network.of("text_encoder."), "text_encoder", "tokenizer", false,
                    "text_encoders.t5xxl.transformer.", List.of("text_encoder.", "base_model.model.text_encoder.",
                    "text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.", "t5xxl.transformer.", "t5xxl.",
                    "lora_te_", "lora_te1_")),
            new ComponentFormat(Component.DENOISER, new DitNetwork(), "transformer", null, false,
                    "model.diffusion_model.", List.of("transformer.", "base_model.model.transformer.",
                    "base_model.model.", "diffusion_model.", "model.diffusion_model.", "unet.", "lora_transformer_",
                    "lora_unet_", "lycoris_", "")),
            new ComponentFormat(Component.VAE, VaeNetwork.ofScale(LATENT_SCALE), "vae", null, false,
                    "first_stage_model.", List.of()));

    @Override
    public String name() {
        return "pixart";
    }

    @Override
    public String label() {
        return "PixArt";
    }

    @Override
    public String pipeline() {
        return "PixArtSigmaPipeline";
    }

    /** Sigma's and alpha's; there are pipelines of other names on them. */
    @Override
    public boolean isPipeline(String className) {
        return className.startsWith("PixArtSigma") || className.startsWith("PixArtAlpha");
    }

    @Override
    public List<ComponentFormat> formats() {
        return FORMATS;
    }

    @Override
    public NoiseScheduler scheduler() {
        return DiscreteScheduler.dpmSolver();
    }

    @Override
    public boolean fits(Component component, TensorSource tensors, TensorSource denoiser) {
        return switch (component) {
            // UMT5 has a table of positions in each block.
            case T5 -> dim(tensors.shape("shared.weight"), 1)
                    == dim(denoiser.shape("caption_projection.linear_1.weight"), 1) && tensors.shape(
                    "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight") == null;
            case VAE -> dim(tensors.shape("decoder.conv_in.weight"), 1)
                    == dim(denoiser.shape("pos_embed.proj.weight"), 1);
            case CLIP_L, CLIP_G, DENOISER -> false;
        };
    }

    private static int dim(Shape shape, int index) {
        return shape == null || shape.rank() <= index ? 0 : shape.dim(index);
    }

    @Override
    public boolean drawsWithout(Component encoder) {
        return false;
    }

    @Override
    public List<Variant> variants() {
        return List.of(SIGMA, ALPHA);
    }

    /** Of alpha, only the models that are told the picture's size can be told by their shapes. */
    @Override
    public Variant variant(ModelFiles files, DenoiserConfig config) {
        boolean told = ((DitConfig) config).sizes();
        if (files.variant() == null) {
            return told || files.index().text("_class_name", "").startsWith("PixArtAlpha") ? ALPHA : SIGMA;
        }
        Variant chosen = variants().stream().filter(one -> one.name().equals(files.variant())).findFirst()
                .orElse(null);
        if (chosen == null || chosen == SIGMA && told) {
            throw new InputException(files.named() + ": --variant says " + files.variant() + ", but the denoiser is "
                    + (told ? ALPHA : SIGMA).label() + ": " + config.describe() + "; leave --variant out");
        }
        return chosen;
    }

    @Override
    public Dit loadDenoiser(Weights weights, ConfigFile config) {
        return Dit.load(weights, config);
    }

    @Override
    public Conditioner conditioner(Stages stages, DenoiserConfig denoiser) {
        return new PixartConditioner(stages, (DitConfig) denoiser);
    }

    @Override
    public Conditioning blank(DenoiserConfig denoiser, int tokens) {
        return PixartConditioner.blank((DitConfig) denoiser, tokens);
    }

    @Override
    public LatentSpace latents(VaeConfig vae) {
        return LatentSpace.of(vae).picturedAt((float) LATENT_SCALE);
    }

    @Override
    public LatentPreview preview() {
        return LatentPreview.SDXL;
    }

    @Override
    public int textTokens() {
        return PixartConditioner.T5_USUAL;
    }

    @Override
    public int textTokens(Variant variant) {
        return variant == ALPHA ? PixartConditioner.T5_ALPHA : textTokens();
    }

    @Override
    public int mostTextTokens() {
        return PixartConditioner.T5_LONGEST;
    }

    @Override
    public List<PixartSynthetic> synthetic() {
        return Arrays.asList(PixartSynthetic.values());
    }

    @Override
    public BenchShapes bench(SyntheticModel model) {
        return new PixartBenchShapes((DitSizes) model.sizes(Component.DENOISER));
    }

    @Override
    public List<ReferenceKind<?>> references() {
        return List.of(DitReference.KIND);
    }

    @Override
    public int sampleSize(ConfigFile config, DenoiserConfig denoiser) {
        return ((DitConfig) denoiser).sampleSize();
    }

    @Override
    public boolean hasBins() {
        return true;
    }

    @Override
    public PixelSize bin(DenoiserConfig denoiser, int width, int height) {
        int side = ((DitConfig) denoiser).sampleSize();
        return AspectBins.isKnown(side) ? AspectBins.nearest(side, width, height) : null;
    }

    @Override
    public boolean cleansCaptions() {
        return true;
    }

    @Override
    public String read(String prompt, boolean clean) {
        return CaptionCleaner.of(prompt, clean);
    }
}
