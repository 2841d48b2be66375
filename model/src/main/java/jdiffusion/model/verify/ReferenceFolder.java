package jdiffusion.model.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;

/**
 * A folder of reference data: {@code io.safetensors} beside the weights and {@code config.json} of one component,
 * or beside the {@code request.json} of a whole pipeline.
 */
public record ReferenceFolder(Path path, Kind kind) {
    static final String IO = "io.safetensors";
    private static final int DEPTH = 16;

    /** What was run to make the reference. */
    public enum Kind { DENOISER, CLIP, T5, VAE, PIPELINE }

    /** All reference folders at or below a folder, in order of their paths. */
    public static List<ReferenceFolder> find(Path root) {
        if (!Files.isDirectory(root)) {
            throw new InputException(root + ": there is no such folder");
        }
        List<Path> folders;
        try (Stream<Path> paths = Files.walk(root, DEPTH, FileVisitOption.FOLLOW_LINKS)) {
            folders = paths.filter(p -> p.getFileName() != null && p.getFileName().toString().equals(IO))
                    .map(Path::getParent).sorted().toList();
        } catch (IOException | UncheckedIOException e) {
            throw new InputException(root + ": cannot be searched: " + e.getMessage(), e);
        }
        if (folders.isEmpty()) {
            throw new InputException(root + ": no " + IO + " in it or below; give a folder of reference data");
        }
        return folders.stream().map(p -> new ReferenceFolder(p, kind(p))).toList();
    }

    private static Kind kind(Path folder) {
        if (Files.exists(folder.resolve("request.json"))) {
            return Kind.PIPELINE;
        }
        ConfigFile config = ConfigFile.read(folder.resolve("config.json"));
        String name = config.text("_class_name", "");
        if (name.isEmpty() && config.root().path("architectures").path(0).isTextual()) {
            name = config.root().path("architectures").path(0).textValue();
        }
        if (name.isEmpty()) {
            name = config.text("model_type", "");
        }
        return switch (name) {
            case "SD3Transformer2DModel" -> Kind.DENOISER;
            case "CLIPTextModelWithProjection", "clip_text_model" -> Kind.CLIP;
            case "T5EncoderModel", "t5" -> Kind.T5;
            case "AutoencoderKL" -> Kind.VAE;
            default -> throw new InputException(config.origin() + ": a reference for '" + name
                    + "' cannot be verified; SD3Transformer2DModel, CLIPTextModelWithProjection, T5EncoderModel and"
                    + " AutoencoderKL can");
        };
    }
}
