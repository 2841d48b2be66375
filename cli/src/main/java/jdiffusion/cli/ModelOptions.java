package jdiffusion.cli;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.tokenizer.places.UserPlaces;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Which model to use, and where its parts are. */
final class ModelOptions {
    @Option(names = {"-m", "--model"}, paramLabel = "PATH",
            description = "Model folder in the diffusers layout, or a safetensors or GGUF file in any layout; what the"
                + " file lacks is looked for beside it. Default: models/shapes beside the program.")
    Path model;

    @Option(names = "--diffusion-model", paramLabel = "FILE",
            description = "The denoiser in a file of its own, which is the model itself where --model is not given.")
    Path denoiser;

    @Option(names = {"--clip-l", "--clip_l"}, paramLabel = "FILE", description = "CLIP-L in a file of its own.")
    Path clipL;

    @Option(names = {"--clip-g", "--clip_g"}, paramLabel = "FILE", description = "CLIP-G in a file of its own.")
    Path clipG;

    @Option(names = {"--t5xxl", "--t5"}, paramLabel = "FILE", description = "T5 in a file of its own.")
    Path t5;

    @Option(names = "--vae", paramLabel = "FILE", description = "The VAE in a file of its own.")
    Path vae;

    @Option(names = "--tokenizer", paramLabel = "DIR",
            description = "Folder with the tokenizers' files (vocab.json and merges.txt, spiece.model, tokenizer.json),"
                + " with the folders tokenizer and tokenizer_3, or of ComfyUI. Default: those beside the model, in a"
                + " GGUF text encoder, in the folder of ComfyUI or Forge that the model lies in, in"
                + " ~/.cache/jdiffusion/tokenizers, in Hugging Face's cache; see 'jdiffusion tokenizers'.")
    Path tokenizer;

    @Option(names = "--variant", paramLabel = "NAME", completionCandidates = Choices.Variants.class,
            description = "The model: ${COMPLETION-CANDIDATES}. Default: by the tensors' shapes; the Turbo models,"
                + " which have the others', by a folder's scheduler or by their name.")
    String variant;

    /** The command that has these options; null where there is none. */
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** The path of the model, or of the one that comes with the program. */
    Path path() {
        return model != null ? model : denoiser != null ? denoiser : DefaultModel.find();
    }

    /** @param leftOut encoders to do without */
    ModelFiles open(Set<Component> leftOut) {
        return open(path(), leftOut);
    }

    /** Another model with the same sources. */
    ModelFiles open(Path other, Set<Component> leftOut) {
        return Families.open(other, sources(leftOut));
    }

    /** Fails when a text encoder is left out and given at once. */
    void checkNotLeftOut(Set<Component> leftOut) {
        sources(Set.of()).files().forEach((component, file) -> {
            if (leftOut.contains(component)) {
                String name = component.label().toLowerCase(Locale.ROOT);
                throw new InputException("--no-" + name + " leaves " + component.label() + " out, but "
                        + (component == Component.T5 ? "--t5xxl" : "--" + name) + " " + file
                        + " gives it; leave one of the two options out");
            }
        });
    }

    /** Whether the user names a model. */
    boolean given() {
        return model != null || denoiser != null;
    }

    ModelSources sources(Set<Component> leftOut) {
        Map<Component, Path> files = new EnumMap<>(Component.class);
        put(files, Component.DENOISER, model == null ? null : denoiser);
        put(files, Component.CLIP_L, clipL);
        put(files, Component.CLIP_G, clipG);
        put(files, Component.T5, t5);
        put(files, Component.VAE, vae);
        return new ModelSources(files, leftOut, tokenizer, variant == null ? null : Families.variant(variant),
                elsewhere());
    }

    /** Where the user's programs may have left tokenizers. */
    UserPlaces elsewhere() {
        return command != null && command.root().userObject() instanceof Main main
                ? UserPlaces.of(main.environment()) : UserPlaces.NONE;
    }

    private static void put(Map<Component, Path> files, Component component, Path file) {
        if (file != null) {
            files.put(component, file);
        }
    }
}
