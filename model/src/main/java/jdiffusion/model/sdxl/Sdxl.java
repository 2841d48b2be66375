package jdiffusion.model.sdxl;

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
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.ModelName;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.model.sampling.EdmScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.TimestepSpacing;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.text.ClipNetwork;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.model.vae.VaeNetwork;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * Stable Diffusion XL (Podell et al., "SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis",
 * 2023) and what was trained from it: SDXL Turbo, the inpainting model, the refiner, and Playground v2.5. A UNet on 4
 * channels that reads CLIP-L and OpenCLIP's bigG.
 */
public final class Sdxl implements Family {
    static final Variant BASE = new Variant("sdxl-base", "SDXL base", 50, 5);
    static final Variant TURBO = new Variant("sdxl-turbo", "SDXL Turbo", 1, 0, 512);
    static final Variant INPAINTING = new Variant("sdxl-inpainting", "SDXL inpainting", 50, 7.5f);
    static final Variant REFINER = new Variant("sdxl-refiner", "SDXL refiner", 50, 5);
    static final Variant PLAYGROUND = new Variant("playground-v2.5", "Playground v2.5", 50, 3);
    static final double LATENT_SCALE = 0.13025;
    /** Side of the latents of pictures of 1024 pixels. */
    static final int SAMPLE_SIZE = 128;
    /** Empty tensors by which files say, since ComfyUI reads them, what the network predicts. */
    private static final String V_PREDICTION = "v_pred";
    private static final String ZERO_SNR = "ztsnr";
    private static final String EDM_MEANS = "edm_mean";

    private static final List<ComponentFormat> FORMATS = List.of(
            new ComponentFormat(Component.CLIP_L, ClipNetwork.ofLWithoutProjection(), "text_encoder", "tokenizer", true,
                    "conditioner.embedders.0.transformer.", List.of("text_encoder.", "base_model.model.text_encoder.",
                    "text_encoders.clip_l.transformer.", "text_encoders.clip_l.", "clip_l.transformer.", "clip_l.",
                    "lora_te1_")),
            new ComponentFormat(Component.CLIP_G, ClipNetwork.ofOpenClip(), "text_encoder_2", "tokenizer_2", false,
                    "conditioner.embedders.1.model.", List.of("text_encoder_2.", "base_model.model.text_encoder_2.",
                    "text_encoders.clip_g.transformer.", "text_encoders.clip_g.", "clip_g.transformer.", "clip_g.",
                    "lora_te2_")),
            new ComponentFormat(Component.DENOISER, new UnetNetwork(), "unet", null, false, "model.diffusion_model.",
                    List.of("unet.", "base_model.model.unet.", "base_model.model.", "diffusion_model.",
                    "model.diffusion_model.", "lora_unet_", "lycoris_", "")),
            new ComponentFormat(Component.VAE, VaeNetwork.ofScale(LATENT_SCALE), "vae", null, false,
                    "first_stage_model.", List.of()));

    @Override
    public String name() {
        return "sdxl";
    }

    @Override
    public boolean isOfA1111() {
        return true;
    }

    @Override
    public String label() {
        return "SDXL";
    }

    @Override
    public String pipeline() {
        return "StableDiffusionXLPipeline";
    }

    @Override
    public List<ComponentFormat> formats() {
        return FORMATS;
    }

    @Override
    public NoiseScheduler scheduler() {
        return DiscreteScheduler.stableDiffusion(Prediction.EPSILON);
    }

    /** Turbo is told by what the user says or by the file's name; what the network predicts by marks in the file. */
    @Override
    public NoiseScheduler scheduler(Marks marks) {
        boolean playground = isNamed(marks, PLAYGROUND) || has(marks.names(), EDM_MEANS);
        if (playground) {
            return EdmScheduler.playground();
        }
        boolean saysTurbo = ModelName.says(marks.file(), "turbo", ".*(sd)?xl[-_. ]?turbo.*");
        if (isNamed(marks, TURBO) || marks.variant() == null && saysTurbo) {
            return DiscreteScheduler.turbo();
        }
        Prediction prediction = has(marks.names(), V_PREDICTION) ? Prediction.V : Prediction.EPSILON;
        return has(marks.names(), ZERO_SNR) ? DiscreteScheduler.zeroSnr(prediction)
                : DiscreteScheduler.stableDiffusion(prediction);
    }

    private static boolean isNamed(Marks marks, Variant variant) {
        return variant.name().equals(marks.variant());
    }

    private static boolean has(Set<String> names, String name) {
        return names.stream().anyMatch(one -> one.equals(name) || one.endsWith("." + name));
    }

    @Override
    public boolean isWhole() {
        return true;
    }

    /** OpenCLIP is the second encoder of the base, and the only one of the refiner. */
    @Override
    public String prefix(Component component, Set<Component> there) {
        return component == Component.CLIP_G && !there.contains(Component.CLIP_L) ? "conditioner.embedders.0.model."
                : format(component).prefix();
    }

    @Override
    public boolean fits(Component component, TensorSource tensors, TensorSource denoiser) {
        int context = dim(denoiser.shape("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"), 1);
        int clip = dim(tensors.shape(ClipNames.TOKENS), 1);
        return switch (component) {
            case CLIP_L -> clip > 0 && clip < context;
            case CLIP_G -> clip > 0 && clip <= context;
            case VAE -> dim(tensors.shape("decoder.conv_in.weight"), 1) == dim(denoiser.shape("conv_out.weight"), 0);
            case T5, DENOISER -> false;
        };
    }

    @Override
    public boolean drawsWithout(Component encoder) {
        return false;
    }

    /** A refiner, which has no attention at its coarsest resolution, reads bigG alone. */
    @Override
    public boolean isRead(Component component, TensorSource denoiser) {
        return component != Component.CLIP_L || denoiser.shape("up_blocks.0.attentions.0.norm.weight") != null;
    }

    private static int dim(Shape shape, int index) {
        return shape == null || shape.rank() <= index ? 0 : shape.dim(index);
    }

    @Override
    public List<Variant> variants() {
        return List.of(BASE, TURBO, INPAINTING, REFINER, PLAYGROUND);
    }

    /** A refiner has no attention at its coarsest resolution, but for the middle. */
    static boolean isRefiner(UnetConfig unet) {
        return unet.depths().getLast() == 0;
    }

    /** Base, Turbo and Playground have equal shapes; their schedulers tell them apart, or what the user says. */
    @Override
    public Variant variant(ModelFiles files, DenoiserConfig config) {
        UnetConfig unet = (UnetConfig) config;
        Variant byShapes = isRefiner(unet) ? REFINER : unet.inChannels() > unet.outChannels() ? INPAINTING : BASE;
        if (files.variant() == null) {
            return byShapes == BASE ? byScheduler(files.scheduler()) : byShapes;
        }
        Variant chosen = variants().stream().filter(one -> one.name().equals(files.variant())).findFirst()
                .orElse(null);
        if (chosen == null || chosen != byShapes && !(byShapes == BASE && (chosen == TURBO || chosen == PLAYGROUND))) {
            throw new InputException(files.named() + ": --variant says " + files.variant() + ", but the denoiser is "
                    + byShapes.label() + ": " + unet.describe() + "; leave --variant out");
        }
        return chosen;
    }

    private static Variant byScheduler(NoiseScheduler scheduler) {
        return switch (scheduler) {
            case EdmScheduler _ -> PLAYGROUND;
            case DiscreteScheduler discrete when discrete.spacing() == TimestepSpacing.TRAILING
                    && discrete.sampler().kind() == Sampler.Kind.EULER_ANCESTRAL -> TURBO;
            default -> BASE;
        };
    }

    @Override
    public List<String> notes(Variant variant, NoiseScheduler scheduler, GenerationRequest request) {
        if (variant == REFINER && request.init() == null) {
            return List.of("this is SDXL's refiner, which was trained on the last steps alone and draws little from"
                    + " noise; give it to a base model with --refiner, or start from a picture with -i");
        }
        if (variant == PLAYGROUND && !(scheduler instanceof EdmScheduler)) {
            return List.of(variant.label() + " was trained with EDM's noise levels, but the files' scheduler is "
                    + scheduler.describe() + "; is this that model?");
        }
        boolean given = request.schedule() != null || !request.sigmas().isEmpty();
        return variant != TURBO || given || spacing(scheduler) == TimestepSpacing.TRAILING ? List.of()
                : List.of(variant.label() + " was trained to start from pure noise, but the files' scheduler is "
                + scheduler.describe() + "; use --scheduler trailing --sampling-method euler_ancestral");
    }

    private static TimestepSpacing spacing(NoiseScheduler scheduler) {
        return scheduler instanceof DiscreteScheduler discrete ? discrete.spacing() : null;
    }

    @Override
    public Unet loadDenoiser(Weights weights, ConfigFile config) {
        return Unet.load(weights, config);
    }

    @Override
    public Conditioner conditioner(Stages stages, DenoiserConfig denoiser) {
        return new SdxlConditioner(stages, (UnetConfig) denoiser);
    }

    @Override
    public Conditioning blank(DenoiserConfig denoiser, int tokens) {
        return SdxlConditioner.blank((UnetConfig) denoiser);
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
        return TextEncoders.CLIP_LENGTH;
    }

    @Override
    public int mostTextTokens() {
        return TextEncoders.CLIP_LENGTH;
    }

    @Override
    public List<SdxlSynthetic> synthetic() {
        return Arrays.asList(SdxlSynthetic.values());
    }

    @Override
    public BenchShapes bench(SyntheticModel model) {
        return new SdxlBenchShapes((UnetSizes) model.sizes(Component.DENOISER));
    }

    @Override
    public List<ReferenceKind<?>> references() {
        return List.of(UnetReference.KIND);
    }

    @Override
    public int sampleSize(ConfigFile config, DenoiserConfig denoiser) {
        return config.positiveInteger("sample_size", SAMPLE_SIZE);
    }

    /** An inpainting model reads the mask and the masked picture's latents too. */
    @Override
    public void checkFit(ModelFiles files, DenoiserConfig denoiser, LatentSpace latents) {
        int out = denoiser.outChannels();
        if (latents.channels() != out || denoiser.inChannels() != out && denoiser.inChannels() != 2 * out + 1) {
            throw new InputException(files.origin() + ": the VAE has " + latents.channels()
                    + " latent channels, the denoiser reads " + denoiser.inChannels() + " and predicts " + out
                    + "; do these components belong together?");
        }
    }
}
