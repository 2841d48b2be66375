package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.TensorSource;

/** Finds a component's configuration beside its file. */
final class ConfigBeside {
    private ConfigBeside() {
    }

    /**
     * The configuration beside a file that belongs to it, named {@code NAME.json} or {@code config.json}; null when
     * there is none of this network and size.
     */
    static ConfigFile of(Path file, Network network, TensorSource tensors) {
        String name = file.getFileName().toString();
        String stem = name.replaceFirst("(?i)(\\.safetensors(\\.index(\\.[\\w-]+)?\\.json)?|\\.gguf)$", "");
        for (String candidate : List.of(stem + ".json", "config.json")) {
            Path path = file.resolveSibling(candidate);
            if (!candidate.equals(name) && InputFile.isThere(path)) {
                ConfigFile config = ConfigFile.read(path);
                if (network.isOf(config, tensors)) {
                    return config;
                }
            }
        }
        return null;
    }
}
