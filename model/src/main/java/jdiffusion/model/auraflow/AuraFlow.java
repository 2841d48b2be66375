package jdiffusion.model.auraflow;

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
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.FlowScheduler;
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
 * AuraFlow (Fal, 2024): a transformer of joint and single blocks that reads Pile-T5 and predicts the velocity of a
 * rectified flow on the 4 channels of SDXL's autoencoder.
 */
public final class AuraFlow implements Family {
    private static final Variant V02 = new Variant("auraflow-v0.2", "AuraFlow v0.2", 50, 3.5f);
    private static final double SHIFT = 1.73;
    static final double LATENT_SCALE = 0.13025;
    /** Side of the latents of pictures of 1024 pixels; the published configuration says half of it. */
    private static final int SAMPLE_SIZE = 128;

    private static final List<ComponentFormat> FORMATS = List.of(
            new ComponentFormat(Component.T5, T5Network.pile("text_encoders.pile_t5xl.transformer.",
                    "text_encoders.pile_t5xl.", "pile_t5xl.transformer.", "pile_t5xl.", "text_encoder."),
                    "text_encoder", "tokenizer", false, "text_encoders.pile_t5xl.transformer.",
                    List.of("text_encoder.", "base_model.model.text_encoder.", "text_encoders.pile_t5xl.transformer.",
                            "text_encoders.pile_t5xl.", "pile_t5xl.transformer.", "pile_t5xl.", "lora_te1_",
                            "lora_te_")),
            new ComponentFormat(Component.DENOISER, new AuraFlowNetwork(), "transformer", null, false, "model.",
                    List.of("transformer.", "base_model.model.transformer.", "base_model.model.", "diffusion_model.",
                            "model.diffusion_model.", "model.", "lora_unet_", "lora_transformer_", "lycoris_", "")),
            new ComponentFormat(Component.VAE, VaeNetwork.ofScale(LATENT_SCALE), "vae", null, false, "vae.",
                    List.of()));

    @Override
    public String name() {
        return "auraflow";
    }

    /** The name that city96's tools for GGUF files gave it. */
    @Override
    public String ggufName() {
        return "aura";
    }

    @Override
    public String label() {
        return "AuraFlow";
    }

    @Override
    public String pipeline() {
        return "AuraFlowPipeline";
    }

    @Override
    public List<ComponentFormat> formats() {
        return FORMATS;
    }

    @Override
    public FlowScheduler scheduler() {
        return FlowScheduler.ofShift(SHIFT);
    }

    @Override
    public boolean fits(Component component, TensorSource tensors, TensorSource denoiser) {
        return switch (component) {
            // T5 has a table of positions in its first block alone.
            case T5 -> dim(tensors, "shared.weight", 1) == dim(denoiser, "context_embedder.weight", 1)
                    && (dim(tensors, "encoder.block.1.layer.0.SelfAttention.q.weight", 0) == 0 || dim(tensors,
                    "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight", 0) > 0);
            case VAE -> dim(tensors, "decoder.conv_in.weight", 1) * AuraFlowConfig.USUAL_PATCH
                    * AuraFlowConfig.USUAL_PATCH == dim(denoiser, "pos_embed.proj.weight", 1);
            case CLIP_L, CLIP_G, DENOISER -> false;
        };
    }

    private static int dim(TensorSource tensors, String name, int index) {
        Shape shape = tensors.shape(name);
        return shape == null || shape.rank() <= index ? 0 : shape.dim(index);
    }

    @Override
    public boolean drawsWithout(Component encoder) {
        return false;
    }

    @Override
    public List<Variant> variants() {
        return List.of(V02);
    }

    @Override
    public Variant variant(ModelFiles files, DenoiserConfig config) {
        if (files.variant() != null && !files.variant().equals(V02.name())) {
            throw new InputException(files.named() + ": --variant says " + files.variant() + ", but the denoiser is "
                    + V02.label() + ": " + config.describe() + "; leave --variant out");
        }
        return V02;
    }

    @Override
    public AuraFlowTransformer loadDenoiser(Weights weights, ConfigFile config) {
        return AuraFlowTransformer.load(weights, config);
    }

    @Override
    public Conditioner conditioner(Stages stages, DenoiserConfig denoiser) {
        return new AuraFlowConditioner(stages, denoiser);
    }

    @Override
    public Conditioning blank(DenoiserConfig denoiser, int tokens) {
        int width = denoiser.contextDim();
        return AuraFlowConditioner.of(new float[Math.multiplyExact(tokens, width)], tokens, width);
    }

    @Override
    public LatentSpace latents(VaeConfig vae) {
        return LatentSpace.of(vae);
    }

    @Override
    public LatentPreview preview() {
        return LatentPreview.SDXL;
    }

    @Override
    public int textTokens() {
        return AuraFlowConditioner.USUAL;
    }

    @Override
    public int mostTextTokens() {
        return TextEncoders.T5_LONGEST;
    }

    @Override
    public List<AuraFlowSynthetic> synthetic() {
        return Arrays.asList(AuraFlowSynthetic.values());
    }

    @Override
    public BenchShapes bench(SyntheticModel model) {
        return new AuraFlowBenchShapes((AuraFlowSizes) model.sizes(Component.DENOISER));
    }

    @Override
    public List<ReferenceKind<?>> references() {
        return List.of(AuraFlowReference.KIND);
    }

    /** That of the training, which the table of positions holds. */
    @Override
    public int sampleSize(ConfigFile config, DenoiserConfig denoiser) {
        return Math.min(SAMPLE_SIZE, denoiser.positions() * denoiser.patch());
    }
}
