package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** The LoRAs of a folder and of those below it, by the names that prompts have for them. */
final class LoraFolder {
    private static final String SUFFIX = ".safetensors";
    private static final int DEEPEST = 12;
    private static final int MOST_SHOWN = 4;

    private LoraFolder() {
    }

    /**
     * The file of a name, with or without its ending and the folders above it.
     *
     * @param tag the prompt's words, for messages
     * @throws InputException when there is none, or several that the name may mean
     */
    static Path find(Path folder, String tag, String name) {
        Path wanted = path(tag, name);
        Path direct = folder.resolve(wanted);
        if (name.isEmpty() || !direct.normalize().startsWith(folder.normalize())) {
            throw new InputException("the prompt's " + tag + " names no file in " + folder);
        }
        Path file = folder.resolve(isFile(wanted) ? wanted : Path.of(wanted + SUFFIX));
        if (InputFile.isThere(file)) {
            return file;
        }
        List<Path> all = below(folder, wanted);
        if (all.isEmpty()) {
            throw new InputException("the prompt's " + tag + " is not there: " + file + ", nor in a folder below;"
                    + " check the name");
        }
        if (all.size() > 1) {
            throw new InputException("the prompt's " + tag + " may be each of " + all.stream().limit(MOST_SHOWN)
                    .map(Path::toString).collect(Collectors.joining(", ")) + (all.size() > MOST_SHOWN ? ", ..." : "")
                    + "; name the folder too, as in <lora:" + folder.relativize(all.getFirst()).toString()
                            .replaceFirst("\\.[^.]*$", "") + ":1>");
        }
        return all.getFirst();
    }

    private static Path path(String tag, String name) {
        try {
            return Path.of(name.isEmpty() ? "." : name);
        } catch (InvalidPathException e) {
            throw new InputException("the prompt's " + tag + " is no file name", e);
        }
    }

    private static boolean isFile(Path path) {
        return path.toString().toLowerCase(Locale.ROOT).endsWith(SUFFIX);
    }

    /** The files of that name in the folder and below, links followed, what cannot be read passed by. */
    private static List<Path> below(Path folder, Path wanted) {
        List<Path> all = new ArrayList<>();
        try {
            Files.walkFileTree(folder, EnumSet.of(FileVisitOption.FOLLOW_LINKS), DEEPEST, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    String path = file.toString();
                    if (isFile(file) && (file.endsWith(wanted)
                            || Path.of(path.substring(0, path.length() - SUFFIX.length())).endsWith(wanted))) {
                        all.add(file);
                    }
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException e) {
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw InputFile.unreadable(folder, e);
        }
        all.sort(null);
        return all;
    }
}
