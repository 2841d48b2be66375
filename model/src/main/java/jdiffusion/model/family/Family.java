package jdiffusion.model.family;

import java.util.List;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;

/**
 * Everything that is a family's own: its files ({@link Architecture}), its denoiser, its text conditioning, its
 * latents, its defaults, and what benchmarks, tests and references need of it. What several families share knows
 * families by this interface alone; they are listed in {@code jdiffusion.model.families.Families}.
 */
public interface Family extends Architecture {
    /** The published models that are told apart. */
    List<Variant> variants();

    /**
     * Which of them this is: by shapes, and where these leave it open by what the user says or else the files' name.
     *
     * @throws InputException when the shapes are not those of the one that the user says
     */
    Variant variant(ModelFiles files, DenoiserConfig config);

    /**
     * What somebody should know who asks this of that model, each in a line.
     *
     * @param scheduler of its files
     */
    default List<String> notes(Variant variant, NoiseScheduler scheduler, GenerationRequest request) {
        return List.of();
    }

    /** The denoiser with what belongs to it: a {@link jdiffusion.model.stage.Stage.Loader}. */
    Denoiser loadDenoiser(Weights weights, ConfigFile config);

    /** @param denoiser that its conditionings are for */
    Conditioner conditioner(Stages stages, DenoiserConfig denoiser);

    /** Whether AUTOMATIC1111's web UI itself draws with it, which always reads weights in prompts. */
    default boolean isOfA1111() {
        return false;
    }

    /**
     * A conditioning of the shapes that this denoiser reads, of zeros, for who counts memory or time.
     *
     * @param tokens of a prompt that the longest encoder reads
     */
    Conditioning blank(DenoiserConfig denoiser, int tokens);

    LatentSpace latents(VaeConfig vae);

    /** Colours of latents for previews; null when none are known. */
    LatentPreview preview();

    /** How many tokens of a prompt the longest encoder reads, unless the user says otherwise. */
    int textTokens();

    /** The same for one of the published models. */
    default int textTokens(Variant variant) {
        return textTokens();
    }

    /** The guidance that a distilled denoiser is told unless the user says otherwise. */
    default EmbeddedGuidance embeddedGuidance(DenoiserConfig denoiser) {
        return EmbeddedGuidance.NONE;
    }

    /** Whether sides that are no multiple of a patch are rounded down, as by its pipeline in diffusers; or refused. */
    default boolean roundsSizes() {
        return false;
    }

    /** The most that it can be asked to read. */
    int mostTextTokens();

    /** The kinds of models that can be made up of random numbers. */
    List<? extends SyntheticKind> synthetic();

    /** What of such a model's denoiser is measured by itself. */
    BenchShapes bench(SyntheticModel model);

    /** The references of networks that are the family's own. */
    List<ReferenceKind<?>> references();

    /** Side of the usual picture in latent pixels, where the configuration and the tensors say it. */
    default int sampleSize(ConfigFile config, DenoiserConfig denoiser) {
        return config.positiveInteger("sample_size", denoiser.positions());
    }

    /** Whether it was trained on a table of sizes, one of which it draws unless told not to: see {@link #bin}. */
    default boolean hasBins() {
        return false;
    }

    /**
     * The size of its table at which a picture of another size is drawn; null where there is none, and every picture is
     * drawn at the size that is asked for.
     *
     * @param width  of the picture in pixels, any number
     * @param height of the picture
     */
    default PixelSize bin(DenoiserConfig denoiser, int width, int height) {
        return null;
    }

    /** Whether it cleans prompts as its captions were cleaned for training, unless told not to: see {@link #read}. */
    default boolean cleansCaptions() {
        return false;
    }

    /**
     * A prompt as it goes to the tokenizers.
     *
     * @param clean whether it is cleaned, by a family that does so
     */
    default String read(String prompt, boolean clean) {
        return prompt;
    }

    /** Fails when VAE and denoiser do not belong together. */
    default void checkFit(ModelFiles files, DenoiserConfig denoiser, LatentSpace latents) {
        if (latents.channels() != denoiser.inChannels() || denoiser.inChannels() != denoiser.outChannels()) {
            throw new InputException(files.origin() + ": the VAE has " + latents.channels()
                    + " latent channels, the denoiser reads " + denoiser.inChannels() + " and predicts "
                    + denoiser.outChannels() + "; do these components belong together?");
        }
    }

    @Override
    default String model(ModelFiles files) {
        try (ModelFiles.Open open = files.inspect(Component.DENOISER)) {
            Denoiser denoiser = loadDenoiser(Weights.of(open.tensors(), Placement.onHost()), open.config());
            return variant(files, denoiser.config()).label();
        }
    }

    @Override
    default String models() {
        return variants().stream().map(Variant::label).collect(Collectors.joining(", "));
    }
}
