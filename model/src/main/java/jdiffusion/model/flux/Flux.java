package jdiffusion.model.flux;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.EmbeddedGuidance;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.ModelName;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.SchedulerConfig;
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
 * FLUX.1 [dev] and [schnell] (Black Forest Labs, 2024): a transformer of double and single stream blocks that reads T5
 * and CLIP-L's pooled text, and predicts the velocity of a rectified flow on 16 channels.
 */
public final class Flux implements Family {
    private static final Variant DEV = new Variant("flux-dev", "FLUX.1 [dev]", 28, 1);
    private static final Variant SCHNELL = new Variant("flux-schnell", "FLUX.1 [schnell]", 4, 1);
    /** Has [dev]'s shapes. */
    private static final Variant KONTEXT = new Variant("flux-kontext", "FLUX.1 Kontext [dev]", 28, 1);
    private static final float GUIDANCE = 3.5f;
    private static final int T5_DEV = 512;
    private static final int T5_SCHNELL = 256;
    /** Side of the latents of pictures of 1024 pixels. */
    static final int SAMPLE_SIZE = 128;
    static final double LATENT_SCALE = 0.3611;
    static final double LATENT_SHIFT = 0.1159;

    private static final List<ComponentFormat> FORMATS = List.of(
            new ComponentFormat(Component.CLIP_L, ClipNetwork.ofLWithoutProjection(), "text_encoder", "tokenizer",
                    false, "text_encoders.clip_l.transformer.",
                    List.of("text_encoder.", "base_model.model.text_encoder.",
                    "text_encoders.clip_l.transformer.", "text_encoders.clip_l.", "clip_l.transformer.", "clip_l.",
                    "lora_te1_", "lora_te_")),
            new ComponentFormat(Component.T5, T5Network.of("text_encoder_2.", "te2."), "text_encoder_2", "tokenizer_2",
                    false, "text_encoders.t5xxl.transformer.", List.of("text_encoder_2.",
                    "base_model.model.text_encoder_2.", "text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.",
                    "t5xxl.transformer.", "t5xxl.", "lora_te2_", "lora_te3_")),
            new ComponentFormat(Component.DENOISER, new FluxNetwork(), "transformer", null, false,
                    "model.diffusion_model.", List.of("transformer.", "base_model.model.transformer.",
                    "base_model.model.", "base_model.model.diffusion_model.", "diffusion_model.",
                    "model.diffusion_model.", "unet.", "model.", "net.", "lora_unet_", "lora_transformer_",
                    "lycoris_", "lora_", "")),
            new ComponentFormat(Component.VAE, new VaeNetwork(LATENT_SCALE, LATENT_SHIFT), "vae", null, false, "vae.",
                    List.of()));

    /** The numbers of ComfyUI's {@code latent_formats.Flux}. */
    private static final LatentPreview PREVIEW = new LatentPreview(new float[][] {
        {-0.0346f, 0.0244f, 0.0681f}, {0.0034f, 0.0210f, 0.0687f}, {0.0275f, -0.0668f, -0.0433f},
        {-0.0174f, 0.0160f, 0.0617f}, {0.0859f, 0.0721f, 0.0329f}, {0.0004f, 0.0383f, 0.0115f},
        {0.0405f, 0.0861f, 0.0915f}, {-0.0236f, -0.0185f, -0.0259f}, {-0.0245f, 0.0250f, 0.1180f},
        {0.1008f, 0.0755f, -0.0421f}, {-0.0515f, 0.0201f, 0.0011f}, {0.0428f, -0.0012f, -0.0036f},
        {0.0817f, 0.0765f, 0.0749f}, {-0.1264f, -0.0522f, -0.1103f}, {-0.0280f, -0.0881f, -0.0499f},
        {-0.1262f, -0.0982f, -0.0778f}}, new float[] {-0.0329f, -0.0718f, -0.0851f});

    @Override
    public String name() {
        return "flux";
    }

    @Override
    public String label() {
        return "FLUX.1";
    }

    @Override
    public String pipeline() {
        return "FluxPipeline";
    }

    /** Not FLUX.2, which is another network. */
    @Override
    public boolean isPipeline(String className) {
        return className.startsWith("Flux") && !className.startsWith("Flux2");
    }

    @Override
    public String refused(String className) {
        return className.contains("Redux") ? redux() : null;
    }

    @Override
    public String stranger(Set<String> names) {
        return names.contains("redux_up.weight") || names.contains("redux_down.weight") ? redux() : null;
    }

    private static String redux() {
        return "this is FLUX.1 Redux, which makes a prompt of a picture and is not supported; use FLUX.1 [dev] or"
                + " [schnell] with a prompt in words";
    }

    @Override
    public List<ComponentFormat> formats() {
        return FORMATS;
    }

    /** That of [dev]. */
    @Override
    public FlowScheduler scheduler() {
        return new FlowScheduler(SchedulerConfig.ofDynamicShift(), true);
    }

    static FlowScheduler schnellScheduler() {
        return new FlowScheduler(SchedulerConfig.ofShift(1), true);
    }

    /** Only [dev] embeds its guidance. */
    @Override
    public FlowScheduler scheduler(Marks marks) {
        return marks.names().stream().anyMatch(name -> name.contains("guidance_in.")
                || name.contains("guidance_embedder.")) ? scheduler() : schnellScheduler();
    }

    @Override
    public boolean isApart() {
        return true;
    }

    @Override
    public boolean fits(Component component, TensorSource tensors, TensorSource denoiser) {
        return switch (component) {
            case CLIP_L -> dim(tensors.shape(ClipNames.TOKENS), 1)
                    == dim(denoiser.shape("time_text_embed.text_embedder.linear_1.weight"), 1);
            // UMT5 has a table of positions in each block.
            case T5 -> dim(tensors.shape("shared.weight"), 1) == dim(denoiser.shape("context_embedder.weight"), 1)
                    && tensors.shape("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight") == null;
            case VAE -> dim(tensors.shape("decoder.conv_in.weight"), 1) * FluxConfig.PATCH * FluxConfig.PATCH
                    == dim(denoiser.shape(FluxConfig.IMAGE_IN), 1);
            case CLIP_G, DENOISER -> false;
        };
    }

    private static int dim(Shape shape, int index) {
        return shape == null || shape.rank() <= index ? 0 : shape.dim(index);
    }

    @Override
    public List<Variant> variants() {
        return List.of(DEV, SCHNELL, KONTEXT);
    }

    /** Kontext has the shapes of [dev], and only a name tells it. */
    @Override
    public Variant variant(ModelFiles files, DenoiserConfig config) {
        Variant byShapes = ((FluxConfig) config).guidance() ? DEV : SCHNELL;
        if (files.variant() == null) {
            return byShapes == DEV && saysKontext(files) ? KONTEXT : byShapes;
        }
        Variant chosen = variants().stream().filter(one -> one.name().equals(files.variant())).findFirst()
                .orElse(null);
        if (chosen == null || (chosen == SCHNELL) != (byShapes == SCHNELL)) {
            throw new InputException(files.named() + ": --variant says " + files.variant() + ", but the denoiser is "
                    + byShapes.label() + ": it embeds " + (byShapes == DEV ? "a guidance scale" : "no guidance scale")
                    + "; leave --variant out");
        }
        return chosen;
    }

    private static boolean saysKontext(ModelFiles files) {
        return files.index().text("_class_name", "").contains("Kontext")
                || ModelName.says(files.named(), "kontext", ".*kontext.*");
    }

    @Override
    public List<String> notes(Variant variant, NoiseScheduler scheduler, GenerationRequest request) {
        if (variant == KONTEXT) {
            return List.of("this is FLUX.1 Kontext, which was trained to change a picture that it is shown; here it is"
                    + " shown none, and draws as FLUX.1 [dev] does");
        }
        return request.guidance() <= 1 || request.guided() ? List.of() : List.of("without a negative prompt a cfg"
                + " scale of " + request.guidance() + " has no effect with " + label() + "; give one (an empty one"
                + " counts)" + (request.embedded().isThere() ? ", or choose the embedded guidance with --guidance"
                : ""));
    }

    @Override
    public FluxTransformer loadDenoiser(Weights weights, ConfigFile config) {
        return FluxTransformer.load(weights, config);
    }

    @Override
    public Conditioner conditioner(Stages stages, DenoiserConfig denoiser) {
        return new FluxConditioner(stages, (FluxConfig) denoiser);
    }

    @Override
    public Conditioning blank(DenoiserConfig denoiser, int tokens) {
        return FluxConditioner.blank((FluxConfig) denoiser, tokens);
    }

    @Override
    public LatentSpace latents(VaeConfig vae) {
        return LatentSpace.of(vae);
    }

    @Override
    public LatentPreview preview() {
        return PREVIEW;
    }

    @Override
    public int textTokens() {
        return T5_DEV;
    }

    @Override
    public int textTokens(Variant variant) {
        return variant == SCHNELL ? T5_SCHNELL : T5_DEV;
    }

    @Override
    public int mostTextTokens() {
        return TextEncoders.T5_LONGEST;
    }

    /** Guidance by two passes takes a negative prompt: as in diffusers, an empty one only where it is given. */
    @Override
    public EmbeddedGuidance embeddedGuidance(DenoiserConfig denoiser) {
        return new EmbeddedGuidance(((FluxConfig) denoiser).guidance() ? GUIDANCE : Float.NaN, true);
    }

    @Override
    public boolean roundsSizes() {
        return true;
    }

    @Override
    public int sampleSize(ConfigFile config, DenoiserConfig denoiser) {
        return config.positiveInteger("sample_size", SAMPLE_SIZE);
    }

    @Override
    public List<FluxSynthetic> synthetic() {
        return Arrays.asList(FluxSynthetic.values());
    }

    @Override
    public BenchShapes bench(SyntheticModel model) {
        return new FluxBenchShapes((FluxSizes) model.sizes(Component.DENOISER));
    }

    @Override
    public List<ReferenceKind<?>> references() {
        return List.of(FluxReference.KIND);
    }
}
