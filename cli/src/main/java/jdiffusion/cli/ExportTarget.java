package jdiffusion.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import jdiffusion.model.convert.Exporter;
import jdiffusion.tensor.InputException;

/** The form in which a model is written: what the options say, else what the name's ending does. */
enum ExportTarget {
    DIFFUSERS, SINGLE, SINGLE_FILE, ALL_IN_ONE, GGUF;

    private static final String SAFETENSORS = ".safetensors";
    private static final String GGUF_ENDING = ".gguf";
    /** What nobody means as the name of a folder. */
    private static final List<String> OTHERS = List.of(".ckpt", ".pt", ".pth", ".bin", ".onnx", ".sft", ".json");

    /**
     * @param layout null, or diffusers, single or all-in-one
     * @param format null, or safetensors or gguf
     */
    static ExportTarget of(String layout, String format, Path target) {
        String name = target.toAbsolutePath().normalize().getFileName() == null ? ""
                : target.toAbsolutePath().normalize().getFileName().toString().toLowerCase(Locale.ROOT);
        boolean gguf = name.endsWith(GGUF_ENDING);
        boolean file = gguf || name.endsWith(SAFETENSORS);
        if (OTHERS.stream().anyMatch(name::endsWith)) {
            throw new InputException(target + ": files of that ending are not written; use a name that ends in "
                    + SAFETENSORS + " or " + GGUF_ENDING + ", or that of a folder");
        }
        if (format != null && !format.equals("gguf") && !format.equals("safetensors")) {
            throw new InputException("--format is " + InputException.shown(format) + "; use safetensors or gguf");
        }
        if (format != null && format.equals("gguf") != gguf) {
            throw new InputException(target + ": --format " + format + " needs a name that ends in "
                    + (gguf ? SAFETENSORS + ", or that of a folder" : GGUF_ENDING));
        }
        if (layout == null) {
            return gguf ? GGUF : file ? SINGLE_FILE : DIFFUSERS;
        }
        ExportTarget wanted = switch (layout) {
            case "diffusers" -> DIFFUSERS;
            case "single" -> gguf ? GGUF : file ? SINGLE_FILE : SINGLE;
            case "all-in-one" -> ALL_IN_ONE;
            default -> throw new InputException("--layout is " + InputException.shown(layout)
                    + "; use diffusers, single or all-in-one");
        };
        if (wanted == DIFFUSERS && file || wanted == ALL_IN_ONE && (!file || gguf)) {
            throw new InputException(target + ": --layout " + layout + " needs the name of a "
                    + (wanted == DIFFUSERS ? "folder" : "file that ends in " + SAFETENSORS));
        }
        return wanted;
    }

    /** Whether the denoiser alone is written when nothing else is asked for. */
    boolean denoiserAlone() {
        return this == GGUF || this == SINGLE_FILE;
    }

    boolean isFile() {
        return this == SINGLE_FILE || this == ALL_IN_ONE || this == GGUF;
    }

    void write(Exporter exporter, Path target) {
        switch (this) {
            case DIFFUSERS -> exporter.writeDiffusers(target);
            case SINGLE -> exporter.writeSingle(target);
            case SINGLE_FILE, ALL_IN_ONE -> exporter.writeFile(target);
            case GGUF -> exporter.writeGguf(target);
        }
    }
}
