package jdiffusion.cli;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.adapter.ControlKind;
import jdiffusion.model.adapter.EmbeddedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.embedding.Embeddings;
import jdiffusion.model.request.ControlChoice;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** The options for what is added to a model. */
final class AdapterOptions {
    @Option(names = "--lora", paramLabel = "FILE[:WEIGHT]",
            description = "LoRA, LoHa or LoKr to add, times WEIGHT (default 1); may be repeated.")
    List<String> lora;

    @Option(names = {"--lora-dir", "--lora-model-dir"}, paramLabel = "DIR",
            description = "Where the LoRAs are that a prompt names as%n  <lora:NAME:WEIGHT>, or in a folder below.")
    Path loraDir;

    @Option(names = {"--embeddings-dir", "--embd-dir"}, paramLabel = "DIR",
            description = "Where the textual inversions are that prompts name as%n  embedding:NAME or NAME, or in a"
                + " folder below.")
    Path embeddingsDir;

    @Option(names = "--control-net", paramLabel = "FILE",
            description = "ControlNet: Stability's file, or a folder of diffusers.")
    Path controlNet;

    @Option(names = "--control-image", paramLabel = "FILE",
            description = "What it reads, already prepared: blurred, edges in white on black, or depths.")
    Path controlImage;

    @Option(names = "--control-kind", paramLabel = "NAME",
            description = "blur, canny, depth or other. Default: as the ControlNet's file or name says.")
    String controlKind;

    @Option(names = "--control-strength", paramLabel = "X", description = "How much it counts. Default: 1.")
    Float controlStrength;

    @Option(names = "--control-start", paramLabel = "SHARE", description = "Where it starts. Default: 0.")
    Double controlStart;

    @Option(names = "--control-end", paramLabel = "SHARE", description = "Where it ends. Default: 1.")
    Double controlEnd;

    /** The model with the textual inversions that prompts may name. */
    ModelFiles embedded(ModelFiles model) {
        if (embeddingsDir == null) {
            return model;
        }
        if (!Files.isDirectory(embeddingsDir)) {
            throw new InputException("--embeddings-dir " + embeddingsDir
                    + " is not a folder; give the one that the embeddings are in");
        }
        return EmbeddedFiles.of(model, Embeddings.in(embeddingsDir));
    }

    /**
     * All that is to be added, in order: those of {@code --lora}, then the prompt's.
     *
     * @param negativePrompt null for none
     */
    List<Lora> loras(String prompt, String negativePrompt) {
        if (loraDir != null && !Files.isDirectory(loraDir)) {
            throw new InputException("--lora-dir " + loraDir + " is not a folder; give the one that the LoRAs are in");
        }
        List<Lora> named = LoraTags.loras(prompt, negativePrompt, loraDir);
        List<Lora> loras = new ArrayList<>();
        for (String one : given()) {
            loras.add(Lora.parse(one, AdapterOptions::path));
        }
        loras.addAll(named);
        return loras;
    }

    /** As given. */
    List<String> given() {
        return lora == null ? List.of() : lora;
    }

    ControlChoice control() {
        return new ControlChoice(controlNet, controlImage, controlKind == null ? null : ControlKind.of(controlKind),
                controlStrength, controlStart, controlEnd);
    }

    /** The prompt without the names of LoRAs in it. */
    static String withoutTags(String prompt) {
        return LoraTags.without(prompt);
    }

    private static Path path(String given) {
        if (given.isBlank()) {
            throw new InputException("--lora: '" + given + "' is no file name");
        }
        try {
            return Path.of(given);
        } catch (InvalidPathException e) {
            throw new InputException("--lora: '" + given + "' is no file name", e);
        }
    }
}
