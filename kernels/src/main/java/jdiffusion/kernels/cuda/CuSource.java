package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/**
 * A kernel source and all that it includes.
 *
 * @param file  {@code "linear/linear"} for {@code jdiffusion/kernels/linear/linear.cu}
 * @param texts by path below {@code jdiffusion/kernels}, the source itself among them
 */
record CuSource(String file, Map<String, String> texts) {
    private static final Pattern INCLUDE = Pattern.compile("^\\s*#\\s*include\\s+\"([^\"]+)\"", Pattern.MULTILINE);
    /** The folder searched for headers that do not lie beside the file that includes them. */
    private static final String SHARED = "cuda/";

    /** Finds the text of a file by its path below {@code jdiffusion/kernels}; null when there is none. */
    @FunctionalInterface
    interface Reader {
        String read(String path);
    }

    /** Reads a source and what it includes, each header beside the file that names it or in {@code cuda}. */
    static CuSource read(String file, Reader reader) {
        Map<String, String> texts = new TreeMap<>();
        add(file + ".cu", null, reader, texts);
        return new CuSource(file, texts);
    }

    private static void add(String path, String includedBy, Reader reader, Map<String, String> texts) {
        if (texts.containsKey(path)) {
            return;
        }
        String text = reader.read(path);
        if (text == null) {
            throw new InputException("the kernel source " + path + " is missing"
                    + (includedBy == null ? "" : "; " + includedBy + " includes it"));
        }
        text = text.replace("\r\n", "\n");
        texts.put(path, text);
        Matcher matcher = INCLUDE.matcher(text);
        while (matcher.find()) {
            String beside = Path.of(path).resolveSibling(matcher.group(1)).normalize().toString().replace('\\', '/');
            add(reader.read(beside) != null ? beside : SHARED + matcher.group(1), path, reader, texts);
        }
    }

    /** Sources below a folder laid out as {@code jdiffusion/kernels}. */
    static Reader folder(Path root) {
        return path -> {
            Path file = root.resolve(path);
            return Files.isRegularFile(file) ? read(file) : null;
        };
    }

    /** The sources that this program was built from. */
    static Reader builtIn() {
        return path -> {
            try (InputStream in = CuSource.class.getResourceAsStream("/jdiffusion/kernels/" + path)) {
                return in == null ? null : new String(in.readAllBytes(), StandardCharsets.UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
    }

    static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new InputException(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** What decides the PTX: all texts and the options; SHA-256 in hexadecimal. */
    String hash() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(String.join(" ", architecture().options()).getBytes(StandardCharsets.UTF_8));
            texts.forEach((path, text) -> {
                digest.update(("\0" + path + "\0").getBytes(StandardCharsets.UTF_8));
                digest.update(text.getBytes(StandardCharsets.UTF_8));
            });
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    Architecture architecture() {
        return Architecture.of(file);
    }

    String text() {
        return texts.get(file + ".cu");
    }
}
