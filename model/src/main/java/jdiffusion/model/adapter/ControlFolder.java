package jdiffusion.model.adapter;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import jdiffusion.model.FilesBelow;
import jdiffusion.tensor.InputException;

/** The ControlNets of a folder: files, and folders of diffusers, by their paths in it without an ending. */
public final class ControlFolder {
    private static final String SUFFIX = ".safetensors";
    private static final String CONFIG = "config.json";

    private ControlFolder() {
    }

    /** The names of all of them, in order. */
    public static List<String> names(Path folder) {
        return all(folder).map(path -> name(folder, path)).distinct().sorted().toList();
    }

    /**
     * The ControlNet of a name, with or without its ending and the hash that AUTOMATIC1111's clients write behind it.
     *
     * @throws InputException when there is none
     */
    public static Path find(Path folder, String name) {
        String wanted = name.replaceFirst(" \\[[0-9a-f]{6,64}]$", "");
        return all(folder).filter(path -> name(folder, path).equals(wanted)
                || (name(folder, path) + SUFFIX).equals(wanted)).findFirst().orElseThrow(() -> new InputException(
                "there is no ControlNet '" + InputException.shown(name) + "'; there are "
                        + (names(folder).isEmpty() ? "none" : String.join(", ", names(folder)))));
    }

    /** Files beside a configuration are parts of that folder. */
    private static Stream<Path> all(Path folder) {
        return FilesBelow.of(folder, file -> isFile(file) || file.endsWith(CONFIG)).stream()
                .filter(file -> !file.getParent().equals(folder) || isFile(file))
                .map(file -> !file.getParent().equals(folder)
                        && Files.exists(file.resolveSibling(CONFIG)) ? file.getParent() : file);
    }

    private static boolean isFile(Path file) {
        return file.toString().toLowerCase(Locale.ROOT).endsWith(SUFFIX);
    }

    private static String name(Path folder, Path path) {
        String name = folder.relativize(path).toString().replace('\\', '/');
        return isFile(path) ? name.substring(0, name.length() - SUFFIX.length()) : name;
    }
}
