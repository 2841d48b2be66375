package jdiffusion.model.adapter;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.HubCache;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * An adapter that the user wants added to the model.
 *
 * @param file       safetensors, or the folder that diffusers or PEFT saved one in
 * @param weight     factor on top of the file's own scales; 1 for as trained, 0 for none
 * @param textWeight the same for the text encoders
 */
public record Lora(Path file, float weight, float textWeight) {
    private static final List<String> IN_FOLDERS =
            List.of("pytorch_lora_weights.safetensors", "adapter_model.safetensors");

    public Lora {
        for (float factor : new float[] {weight, textWeight}) {
            if (!Float.isFinite(factor)) {
                throw new InputException(file + ": the weight of a LoRA is " + factor + "; give a number");
            }
        }
    }

    /** The same weight for all networks. */
    public Lora(Path file, float weight) {
        this(file, weight, weight);
    }

    /**
     * What a user gives as FILE or FILE:WEIGHT: the last colon parts both where a number follows it and no file has the
     * whole as its name.
     *
     * @param path makes a path of a name, or fails
     */
    public static Lora parse(String given, Function<String, Path> path) {
        int colon = given.lastIndexOf(':');
        if (colon > 0 && !Files.exists(path.apply(given))) {
            try {
                return new Lora(path.apply(given.substring(0, colon)), Float.parseFloat(given.substring(colon + 1)));
            } catch (NumberFormatException _) {
                // The colon is part of the name.
            }
        }
        return new Lora(path.apply(given), 1);
    }

    float weight(Component component) {
        return Component.ENCODERS.contains(component) ? textWeight : weight;
    }

    /** The safetensors file itself. */
    public Path weights() {
        if (!Files.isDirectory(file)) {
            return file;
        }
        Path folder = HubCache.snapshot(file);
        for (String name : IN_FOLDERS) {
            if (InputFile.isThere(folder.resolve(name))) {
                return folder.resolve(name);
            }
        }
        List<Path> others = files(folder);
        if (others.size() == 1) {
            return others.getFirst();
        }
        throw new InputException(file + ": this folder has neither " + String.join(" nor ", IN_FOLDERS)
                + "; give the LoRA's file");
    }

    /** The safetensors files of a folder. */
    static List<Path> files(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(entry -> Files.isRegularFile(entry)
                    && !entry.getFileName().toString().startsWith("._") // macOS keeps them beside files
                    && entry.toString().toLowerCase(Locale.ROOT).endsWith(".safetensors")).toList();
        } catch (IOException e) {
            throw InputFile.unreadable(folder, e);
        }
    }
}
