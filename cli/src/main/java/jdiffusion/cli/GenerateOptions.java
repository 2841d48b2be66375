package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that decide the picture; null where the user says nothing. */
final class GenerateOptions {
    String prompt;

    @Option(names = {"-n", "--negative-prompt"}, paramLabel = "TEXT", description = "What to steer away from.")
    String negativePrompt;

    @Option(names = {"-W", "--width"}, paramLabel = "PIXELS",
            description = "A multiple of 16; of 8 for SDXL; rounded down for FLUX.1.")
    Integer width;

    @Option(names = {"-H", "--height"}, paramLabel = "PIXELS",
            description = "A multiple of 16; of 8 for SDXL; rounded down for FLUX.1.")
    Integer height;

    @Option(names = "--cfg-scale", paramLabel = "X",
            description = "How closely to follow the prompt; 1 for no guidance.")
    Float cfgScale;

    @Option(names = "--guidance", paramLabel = "X",
            description = "FLUX.1 [dev]: the guidance scale that the network is told. Default: 3.5.")
    Float guidance;

    @Option(names = "--guidance-rescale", paramLabel = "SHARE",
            description = "How far guidance keeps the spread of the prediction with the prompt, 0 (not at all) to 1;"
                + " 0.7 helps v-prediction and zero terminal SNR. Default: 0.")
    Float guidanceRescale;

    @Option(names = {"-s", "--seed"}, paramLabel = "N",
            description = "0 to 2^64 - 1, or 'random' (or -1). Default: 42.")
    String seed;

    @Mixin
    final SamplingOptions sampling = new SamplingOptions();

    @Mixin
    final ConditioningOptions conditioning = new ConditioningOptions();

    @Mixin
    final MethodOptions methods = new MethodOptions();

    @Option(names = "--t5-length", paramLabel = "TOKENS", description = "Tokens for T5, up to 512.")
    Integer t5Length;

    @Option(names = "--no-t5", description = "Leave T5 out: faster, and worse at long prompts and at writing.")
    boolean noT5;

    @Option(names = "--no-clip-l", description = "Leave CLIP-L out: zeros in its place.")
    boolean noClipL;

    @Option(names = "--no-clip-g", description = "Leave CLIP-G out: zeros in its place.")
    boolean noClipG;

    @Option(names = "--skip-layers", paramLabel = "N,N,...",
            description = "Blocks to skip for skip-layer guidance (7,8,9 for SD3.5 Medium). Default: none.")
    String skipLayers;

    @Option(names = "--slg-scale", paramLabel = "X", description = "Strength of skip-layer guidance. Default: 2.8.")
    Float slgScale;

    @Option(names = "--skip-layer-start", paramLabel = "SHARE", description = "Where it starts. Default: 0.01.")
    Float skipLayerStart;

    @Option(names = "--skip-layer-end", paramLabel = "SHARE", description = "Where it ends. Default: 0.2.")
    Float skipLayerEnd;

    @Option(names = {"-i", "--init-img"}, paramLabel = "FILE", description = "Picture to start from.")
    Path initImg;

    @Option(names = "--strength", paramLabel = "SHARE",
            description = "How much to change the init image, above 0 up to 1. Default: 0.6.")
    Double strength;

    @Option(names = "--mask", paramLabel = "FILE", description = "White where to draw, black where to keep.")
    Path mask;

    @Mixin
    final MaskOptions masking = new MaskOptions();

    @Mixin
    final HiresOptions hires = new HiresOptions();

    @Option(names = "--taesd", paramLabel = "PATH",
            description = "A TAESD, the small autoencoder, for previews: its folder or file.")
    Path taesd;

    @Option(names = "--taesd-only", negatable = true,
            description = "Whether it decodes the picture too, in place of the VAE: faster, not as sharp.")
    Boolean taesdOnly;

    @Option(names = "--taesd-encoder", negatable = true,
            description = "Whether it encodes the picture to start from, too.")
    Boolean taesdEncoder;

    @Option(names = "--precision", paramLabel = "NAME", completionCandidates = Choices.Precisions.class,
            description = "Inputs of matrix products: ${COMPLETION-CANDIDATES}. Default: f32 on the CPU, bf16 on"
                + " CUDA devices. bf16x2 and bf16x3 need a CPU with AMX. fp8 is for layers whose weights are stored as"
                + " fp8 (e4m3 or e5m2); cards need compute capability 8.9 for it.")
    String precision;

    /** Changes a request with the checkpoint's defaults; the init image and the mask are set elsewhere. */
    GenerationRequest.Builder applyTo(GenerationRequest usual, Family family) {
        GenerationRequest request = applyTo(methods.defaults(usual, family)).build();
        return methods.settled(request, family).toBuilder();
    }

    private GenerationRequest.Builder applyTo(GenerationRequest defaults) {
        GenerationRequest.Builder request = defaults.toBuilder()
                .size(or(width, defaults.width()), or(height, defaults.height()))
                .negativePrompt(or(negativePrompt, defaults.negativePrompt()))
                .guidance(or(cfgScale, defaults.guidance()))
                .guidanceRescale(or(guidanceRescale, defaults.guidanceRescale()))
                .t5Length(or(t5Length, defaults.t5Length()))
                .skipLayers(skipLayers(defaults.skipLayers()));
        if (seed != null) {
            request.seed(Seed.orRandom(seed));
        }
        if (guidance != null) {
            request.embeddedGuidance(guidance);
        }
        sampling.applyTo(defaults, request);
        conditioning.applyTo(defaults, request);
        methods.applyTo(defaults, request);
        if (noT5) {
            request.t5(false);
        }
        return request;
    }

    /** A request whose size is still open, for what this says of sizes. */
    GenerationRequest unsized(GenerationRequest defaults) {
        return defaults.toBuilder().resolutionBinning(or(conditioning.resolutionBinning, defaults.resolutionBinning()))
                .build();
    }

    /**
     * Takes the next smaller size that the model can draw, where its family rounds sizes.
     *
     * @param defaults of the model
     * @param notes    told of it
     */
    void roundSize(GenerationRequest defaults, ImageSize sizes, Consumer<String> notes) {
        int wide = or(width, defaults.width());
        int high = or(height, defaults.height());
        String note = sizes.note(wide, high);
        if (note != null) {
            notes.accept(note);
            width = sizes.rounded(wide);
            height = sizes.rounded(high);
        }
    }

    /** @param notes told what is made of a mask with alpha */
    InputPictures inputs(Consumer<String> notes) {
        if (initImg == null && strength != null) {
            throw new InputException("--strength says how much to change an init image; give one with -i");
        }
        if (initImg == null && mask != null) {
            throw new InputException("--mask needs an init image; give one with -i");
        }
        if (initImg == null && Boolean.TRUE.equals(taesdEncoder)) {
            throw new InputException("--taesd-encoder is for an init image; give one with -i");
        }
        InpaintSettings inpaint = masking.settings(initImg != null, mask != null);
        return new InputPictures(initImg == null ? null : PictureFile.read(initImg),
                mask == null ? null : PictureFile.readMask(mask, notes), inpaint);
    }

    /**
     * Gives the picture the init image's size, where the user asked for none, or that with a border.
     *
     * @param init     null for none
     * @param multiple of which the model can draw sizes
     */
    void chooseSize(Picture init, int multiple, Consumer<String> notes) {
        PixelSize size = init == null ? null : masking.sizing(init, width, height, multiple).size(init);
        if (size == null) {
            return;
        }
        int wide = Math.max(multiple, size.width() / multiple * multiple);
        int high = Math.max(multiple, size.height() / multiple * multiple);
        if (width == null && height == null && (wide != size.width() || high != size.height())) {
            notes.accept("the init image is " + init.width() + "x" + init.height() + "; drawing " + wide + "x"
                    + high + ", the next size in multiples of " + multiple);
        }
        width = width == null ? Integer.valueOf(wide) : width;
        height = height == null ? Integer.valueOf(high) : height;
    }

    /** Fails when the options contradict each other or there is no TAESD. */
    TaesdInput taesd() {
        boolean decodes = Boolean.TRUE.equals(taesdOnly);
        if (decodes && taesd == null) {
            throw new InputException("--taesd-only is given, but no TAESD; give its folder or file with --taesd");
        }
        boolean encodes = Boolean.TRUE.equals(taesdEncoder);
        if (encodes && taesd == null) {
            throw new InputException("--taesd-encoder is given, but no TAESD; give its folder or file with --taesd");
        }
        return new TaesdInput(taesd == null ? null : TaesdFile.of(taesd), encodes, decodes);
    }

    /** Fails when a TAESD is given and nothing would come of it. */
    static void checkUsed(TaesdInput taesd, boolean previews) {
        if (taesd.file() != null && !taesd.encodes() && !taesd.decodes() && !previews) {
            throw new InputException("--taesd " + taesd.file().given() + " would not be used; add --preview N to see"
                    + " previews by it, or --taesd-only to have the picture decoded by it");
        }
    }

    /** Fails when options that the user gives contradict each other; call it before a picture's settings are read. */
    void check() {
        sampling.check();
        methods.check();
        masking.check();
        hires.check();
        if (noT5 && t5Length != null) {
            throw new InputException("--no-t5 leaves T5 out, but --t5-length " + t5Length
                    + " is for it; leave one of the two options out");
        }
    }

    /** Encoders to do without. */
    Set<Component> leftOut() {
        Set<Component> all = EnumSet.noneOf(Component.class);
        if (noClipL) {
            all.add(Component.CLIP_L);
        }
        if (noClipG) {
            all.add(Component.CLIP_G);
        }
        if (noT5) {
            all.add(Component.T5);
        }
        return all;
    }

    private SkipLayers skipLayers(SkipLayers otherwise) {
        if (skipLayers == null && (slgScale != null || skipLayerStart != null || skipLayerEnd != null)) {
            throw new InputException("skip-layer guidance needs to know which layers to skip; give --skip-layers");
        }
        return new SkipLayers(skipLayers == null ? otherwise.layers() : layers(skipLayers),
                or(slgScale, otherwise.scale()), or(skipLayerStart, otherwise.start()),
                or(skipLayerEnd, otherwise.stop()));
    }

    /** Numbers between commas, in brackets or not, as other tools write them; none for an empty text. */
    private static List<Integer> layers(String text) {
        List<Integer> layers = new ArrayList<>();
        for (String part : Arrays.asList(text.replaceAll("[\\[\\]\\s]", "").split(","))) {
            if (part.isEmpty()) {
                continue;
            }
            try {
                layers.add(Integer.valueOf(part));
            } catch (NumberFormatException e) {
                throw new InputException("--skip-layers: '" + part + "' is no layer; give numbers like 7,8,9", e);
            }
        }
        return layers;
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
