package jdiffusion.model.embedding;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import jdiffusion.model.FilesBelow;
import jdiffusion.tensor.InputException;

/**
 * The textual inversions that prompts may name: as {@code embedding:NAME} (ComfyUI), where NAME is the file's path
 * below its folder, or as NAME alone (AUTOMATIC1111's web UI), the file's name as a word. Neither needs the file's
 * ending, and upper and lower case are the same, as they are to CLIP. Of names that fit at one place the longest
 * counts. Files are read when a prompt first names them.
 */
public final class Embeddings {
    /** No files: a prompt that names an embedding as ComfyUI does is an error, all else is text. */
    public static final Embeddings NONE = new Embeddings(null, List.of());
    private static final String PREFIX = "embedding:";
    private static final int MOST_SHOWN = 4;

    private final Path folder;
    /** By what may follow the prefix, in lower case: paths, and names alone. */
    private final Map<String, List<Path>> byPath = new TreeMap<>(longestFirst());
    /** By what may stand alone. */
    private final Map<String, List<Path>> byName = new TreeMap<>(longestFirst());
    private final Map<Path, TextualInversion> read = new ConcurrentHashMap<>();

    /** A prompt's words, or a textual inversion between them, of which the other is null. */
    public record Part(String text, TextualInversion inversion) {
    }

    private Embeddings(Path folder, List<Path> files) {
        this.folder = folder;
        for (Path file : files) {
            String path = withoutEnding(folder.relativize(file).toString().replace('\\', '/'));
            String name = path.substring(path.lastIndexOf('/') + 1);
            byPath.computeIfAbsent(path.toLowerCase(Locale.ROOT), _ -> new ArrayList<>()).add(file);
            if (!name.equals(path)) {
                byPath.computeIfAbsent(name.toLowerCase(Locale.ROOT), _ -> new ArrayList<>()).add(file);
            }
            byName.computeIfAbsent(name.toLowerCase(Locale.ROOT), _ -> new ArrayList<>()).add(file);
        }
    }

    private static Comparator<String> longestFirst() {
        return Comparator.comparing(String::length).reversed().thenComparing(Comparator.naturalOrder());
    }

    /**
     * Those of a folder and of the folders in it: safetensors. Pickled ones have names too, and fail where one is used.
     *
     * @throws InputException when there is no such folder
     */
    public static Embeddings in(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + " is not a folder; give the one that the embeddings are in");
        }
        return new Embeddings(folder, FilesBelow.of(folder,
                file -> TextualInversion.isOne(file) || TextualInversion.isPickle(file)));
    }

    private static String withoutEnding(String name) {
        return name.replaceFirst("\\.[^./]*$", "");
    }

    /**
     * A prompt in parts, in order.
     *
     * @throws InputException when it names an embedding with the prefix that is not there, or a file is unusable
     */
    public List<Part> split(String prompt) {
        List<Part> parts = new ArrayList<>();
        int from = 0;
        for (int at = 0; at < prompt.length(); ) {
            int end = at;
            if (isBoundary(prompt, at)) {
                boolean named = prompt.startsWith(PREFIX, at) && at + PREFIX.length() < prompt.length()
                        && !Character.isWhitespace(prompt.charAt(at + PREFIX.length()));
                int start = named ? at + PREFIX.length() : at;
                String key = find(named ? byPath : byName, prompt, start);
                if (key == null && named) {
                    throw unknown(prompt, start);
                }
                if (key != null) {
                    end = start + key.length();
                    if (at > from) {
                        parts.add(new Part(prompt.substring(from, at), null));
                    }
                    parts.add(new Part(null, only(key, (named ? byPath : byName).get(key))));
                    end += named ? ending(prompt, end) : 0;
                    from = end;
                }
            }
            at = Math.max(end, at + 1);
        }
        if (from < prompt.length() || parts.isEmpty()) {
            parts.add(new Part(prompt.substring(from), null));
        }
        return parts;
    }

    /** The textual inversions that prompts name, each once, by name. */
    public Map<String, TextualInversion> used(List<String> prompts) {
        Map<String, TextualInversion> used = new LinkedHashMap<>();
        for (String prompt : prompts) {
            for (Part part : split(prompt)) {
                if (part.inversion != null) {
                    used.putIfAbsent(part.inversion.name(), part.inversion);
                }
            }
        }
        return used;
    }

    private static String find(Map<String, List<Path>> names, String prompt, int start) {
        for (String name : names.keySet()) {
            if (prompt.regionMatches(true, start, name, 0, name.length())
                    && isBoundary(prompt, start + name.length())) {
                return name;
            }
        }
        return null;
    }

    /** Characters of a file's ending that a prompt has behind the name. */
    private static int ending(String prompt, int at) {
        String rest = prompt.substring(at).toLowerCase(Locale.ROOT);
        for (String ending : List.of(TextualInversion.SUFFIX, ".pt", ".bin")) {
            if (rest.startsWith(ending) && isBoundary(prompt, at + ending.length())) {
                return ending.length();
            }
        }
        return 0;
    }

    /** Whether no word goes on at a place. */
    private static boolean isBoundary(String text, int at) {
        return at == 0 || at == text.length() || !isOfWord(text.charAt(at - 1)) || !isOfWord(text.charAt(at));
    }

    private static boolean isOfWord(char c) {
        return Character.isLetterOrDigit(c) || c == '_';
    }

    private TextualInversion only(String key, List<Path> files) {
        if (files.size() > 1) {
            throw new InputException("the prompt's embedding " + InputException.shown(key) + " may be each of "
                    + files.stream().limit(MOST_SHOWN).map(Path::toString).collect(Collectors.joining(", "))
                    + (files.size() > MOST_SHOWN ? ", ..." : "") + "; name the folder too, as in " + PREFIX
                    + withoutEnding(folder.relativize(files.getFirst()).toString().replace('\\', '/'))
                    + ", or rename one");
        }
        Path file = files.getFirst();
        return read.computeIfAbsent(file, _ -> TextualInversion.read(
                withoutEnding(file.getFileName().toString()), file));
    }

    private InputException unknown(String prompt, int start) {
        String name = prompt.substring(start).split("[\\s,;:()\\[\\]{}<>|]", 2)[0];
        String shown = "the prompt's " + PREFIX + InputException.shown(name);
        if (folder == null) {
            return new InputException(shown + " is an embedding's name, but no folder of embeddings is given; say with"
                    + " --embeddings-dir where it is");
        }
        String wanted = name.toLowerCase(Locale.ROOT);
        List<String> near = byPath.keySet().stream()
                .filter(known -> distance(wanted, known) <= 1 + wanted.length() / 3 || known.contains(wanted)
                        && !wanted.isEmpty())
                .sorted(Comparator.comparingInt((String known) -> distance(wanted, known)))
                .limit(MOST_SHOWN).map(InputException::shown).toList();
        return new InputException(shown + " is not in " + folder + "; " + (near.isEmpty()
                ? (byName.size() == 1 ? "1 other is" : byName.size() + " others are") + " there, check the name"
                : "near it are " + String.join(", ", near)));
    }

    /** Characters to insert, remove or replace (Levenshtein, 1966). */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
