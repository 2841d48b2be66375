package jdiffusion.model.adapter;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.model.FilesBelow;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** The LoRAs of a folder and of those below it, by the names that prompts have for them. */
public final class LoraFolder {
    private static final String SUFFIX = ".safetensors";
    /** kohya's name for what a file was called when it was trained. */
    private static final String TRAINED_AS = "ss_output_name";
    private static final int MOST_SHOWN = 4;

    private LoraFolder() {
    }

    /**
     * The file of a name, with or without its ending and the folders above it; else the one that was trained under
     * that name.
     *
     * @param tag the prompt's words, for messages
     * @throws InputException when there is none, or several that the name may mean
     */
    public static Path find(Path folder, String tag, String name) {
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
        if (all.isEmpty() && name.contains("\\")) {
            return find(folder, tag, name.replace('\\', '/'));
        }
        all = all.isEmpty() ? trainedAs(folder, name) : all;
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

    /** The names of all of them, in order: their paths in the folder without the ending. */
    public static List<String> names(Path folder) {
        return FilesBelow.of(folder, LoraFolder::isFile).stream().map(file -> {
            String name = folder.relativize(file).toString().replace('\\', '/');
            return name.substring(0, name.length() - SUFFIX.length());
        }).sorted().toList();
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

    /** The files whose trainer gave them that name, which A1111's web UI writes into prompts. */
    private static List<Path> trainedAs(Path folder, String name) {
        return FilesBelow.of(folder, file -> {
            if (!isFile(file)) {
                return false;
            }
            try (SafetensorsFile opened = SafetensorsFile.open(file)) {
                return name.equals(opened.metadata().get(TRAINED_AS));
            } catch (InputException _) {
                return false; // not the one that is wanted
            }
        });
    }

    /** The files of that name in the folder and below. */
    private static List<Path> below(Path folder, Path wanted) {
        return FilesBelow.of(folder, file -> {
            String path = file.toString();
            return isFile(file) && (file.endsWith(wanted)
                    || Path.of(path.substring(0, path.length() - SUFFIX.length())).endsWith(wanted));
        });
    }
}
