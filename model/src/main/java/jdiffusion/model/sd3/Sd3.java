package jdiffusion.model.sd3;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ControlNetFormat;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.ModelName;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.text.ClipNetwork;
import jdiffusion.model.text.T5Network;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.model.vae.VaeNetwork;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * Stable Diffusion 3 and 3.5 (Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis",
 * 2024): an MMDiT that reads CLIP-L, CLIP-G and T5, and predicts the velocity of a rectified flow on 16 channels.
 */
public final class Sd3 implements Family {
    private static final Variant SD3_MEDIUM = new Variant("sd3-medium", "SD3 Medium (MMDiT)", 28, 7.0f);
    private static final Variant SD35_MEDIUM = new Variant("sd3.5-medium", "SD3.5 Medium (MMDiT-X)", 40, 4.5f);
    private static final Variant SD35_LARGE = new Variant("sd3.5-large", "SD3.5 Large (MMDiT)", 40, 4.5f);
    private static final Variant SD35_LARGE_TURBO =
            new Variant("sd3.5-large-turbo", "SD3.5 Large Turbo (MMDiT)", 4, 1.0f);
    /** What the schedules of all of them were made with. */
    private static final double SHIFT = 3;
    static final double LATENT_SCALE = 1.5305;
    static final double LATENT_SHIFT = 0.0609;

    private static final List<ComponentFormat> FORMATS = List.of(
            new ComponentFormat(Component.CLIP_L, ClipNetwork.ofL(), "text_encoder", "tokenizer", false,
                    "text_encoders.clip_l.transformer.", List.of("text_encoder.", "base_model.model.text_encoder.",
                    "text_encoders.clip_l.transformer.", "text_encoders.clip_l.", "clip_l.transformer.", "clip_l.",
                    "lora_te1_", "lora_te_")),
            new ComponentFormat(Component.CLIP_G, ClipNetwork.ofG(), "text_encoder_2", "tokenizer_2", false,
                    "text_encoders.clip_g.transformer.", List.of("text_encoder_2.", "base_model.model.text_encoder_2.",
                    "text_encoders.clip_g.transformer.", "text_encoders.clip_g.", "clip_g.transformer.", "clip_g.",
                    "lora_te2_")),
            new ComponentFormat(Component.T5, T5Network.of("text_encoder_3.", "te3."), "text_encoder_3", "tokenizer_3",
                    true, "text_encoders.t5xxl.transformer.", List.of("text_encoder_3.",
                    "base_model.model.text_encoder_3.", "text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.",
                    "t5xxl.transformer.", "t5xxl.", "lora_te3_")),
            new ComponentFormat(Component.DENOISER, new MmditNetwork(), "transformer", null, false,
                    "model.diffusion_model.", List.of("transformer.", "base_model.model.transformer.",
                    "base_model.model.", "base_model.model.diffusion_model.", "diffusion_model.",
                    "model.diffusion_model.", "unet.", "model.", "net.", "dit.", "mmdit.", "denoiser.", "lora_unet_",
                    "lora_transformer_", "lycoris_", "lora_", "")),
            new ComponentFormat(Component.VAE, new VaeNetwork(LATENT_SCALE, LATENT_SHIFT), "vae", null, false,
                    "first_stage_model.", List.of()));

    /** The numbers of {@code SD3LatentFormat} in Stability's sd3.5 code. */
    private static final LatentPreview PREVIEW = new LatentPreview(new float[][] {
        {-0.0645f, 0.0177f, 0.1052f}, {0.0028f, 0.0312f, 0.0650f}, {0.1848f, 0.0762f, 0.0360f},
        {0.0944f, 0.0360f, 0.0889f}, {0.0897f, 0.0506f, -0.0364f}, {-0.0020f, 0.1203f, 0.0284f},
        {0.0855f, 0.0118f, 0.0283f}, {-0.0539f, 0.0658f, 0.1047f}, {-0.0057f, 0.0116f, 0.0700f},
        {-0.0412f, 0.0281f, -0.0039f}, {0.1106f, 0.1171f, 0.1220f}, {-0.0248f, 0.0682f, -0.0481f},
        {0.0815f, 0.0846f, 0.1207f}, {-0.0120f, -0.0055f, -0.0867f}, {-0.0749f, -0.0634f, -0.0456f},
        {-0.1418f, -0.1457f, -0.1259f}}, new float[3]);

    @Override
    public String name() {
        return "sd3";
    }

    @Override
    public boolean isOfA1111() {
        return true;
    }

    @Override
    public String label() {
        return "SD3";
    }

    @Override
    public String pipeline() {
        return "StableDiffusion3Pipeline";
    }

    @Override
    public List<ComponentFormat> formats() {
        return FORMATS;
    }

    @Override
    public FlowScheduler scheduler() {
        return FlowScheduler.ofShift(SHIFT);
    }

    /** Of diffusers' kind, those that see the text may have been trained with any picture. */
    @Override
    public ControlNetFormat controlNet() {
        return new ControlNetFormat(ControlNetNames.NAMES, "pos_embed_input.proj.weight", "context_embedder.weight");
    }

    @Override
    public boolean fits(Component component, TensorSource tensors, TensorSource denoiser) {
        int context = dim(denoiser.shape("context_embedder.weight"), -1);
        return switch (component) {
            case CLIP_L, CLIP_G -> {
                int width = dim(tensors.shape(ClipNames.TOKENS), 1);
                yield width > 0 && width <= context;
            }
            // UMT5 has a table of positions in each block.
            case T5 -> dim(tensors.shape("shared.weight"), 1) == context && tensors.shape(
                    "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight") == null;
            case VAE -> dim(tensors.shape("decoder.conv_in.weight"), 1)
                    == dim(denoiser.shape("pos_embed.proj.weight"), 1);
            case DENOISER -> false;
        };
    }

    private static int dim(Shape shape, int index) {
        return shape == null || shape.rank() <= index || shape.rank() == 0 ? 0 : shape.dim(index);
    }

    @Override
    public List<Variant> variants() {
        return List.of(SD3_MEDIUM, SD35_MEDIUM, SD35_LARGE, SD35_LARGE_TURBO);
    }

    /** SD3.5 Large Turbo has Large's shapes, and only its name tells it. */
    @Override
    public Variant variant(ModelFiles files, DenoiserConfig config) {
        MmditConfig mmdit = (MmditConfig) config;
        Variant byShapes = !mmdit.dualBlocks().isEmpty() ? SD35_MEDIUM : mmdit.qkNorm() ? SD35_LARGE : SD3_MEDIUM;
        Path model = files.named();
        if (files.variant() == null) {
            return byShapes == SD35_LARGE && ModelName.says(model, "turbo", ".*large[-_. ]?turbo.*") ? SD35_LARGE_TURBO
                    : byShapes;
        }
        Variant chosen = variants().stream().filter(one -> one.name().equals(files.variant())).findFirst()
                .orElse(null);
        if (chosen == null || chosen != byShapes && !(chosen == SD35_LARGE_TURBO && byShapes == SD35_LARGE)) {
            throw new InputException(model + ": --variant says " + files.variant() + ", but the denoiser is "
                    + byShapes.label() + ": " + mmdit.depth() + " blocks of width " + mmdit.hidden()
                    + (mmdit.qkNorm() ? ", with" : ", without") + " QK norm, " + mmdit.dualBlocks().size()
                    + " of them with a second attention; leave --variant out");
        }
        return chosen;
    }

    @Override
    public Sd3Denoiser loadDenoiser(Weights weights, ConfigFile config) {
        return Sd3Denoiser.load(weights, config);
    }

    @Override
    public Conditioner conditioner(Stages stages, DenoiserConfig denoiser) {
        return new Sd3Conditioner(stages, denoiser);
    }

    @Override
    public Conditioning blank(DenoiserConfig denoiser, int tokens) {
        return Sd3Conditioner.blank(denoiser, tokens);
    }

    /** diffusers' inpainting pipeline leaves the shift out when it decodes; the same request gives the same picture. */
    @Override
    public LatentSpace latents(VaeConfig vae) {
        return LatentSpace.of(vae).withoutInpaintedShift();
    }

    @Override
    public LatentPreview preview() {
        return PREVIEW;
    }

    @Override
    public int textTokens() {
        return Sd3Conditioner.T5_USUAL;
    }

    @Override
    public int mostTextTokens() {
        return TextEncoders.T5_LONGEST;
    }

    @Override
    public List<Sd3Synthetic> synthetic() {
        return Arrays.asList(Sd3Synthetic.values());
    }

    @Override
    public BenchShapes bench(SyntheticModel model) {
        return new Sd3BenchShapes((MmditSizes) model.sizes(Component.DENOISER));
    }

    @Override
    public List<ReferenceKind<?>> references() {
        return List.of(MmditReference.KIND);
    }
}
