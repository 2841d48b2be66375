package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/**
 * The files that a run writes. Names are settled and folders tried before anything is computed; a file appears whole
 * or not at all, also when the program is interrupted.
 */
final class OutputFiles implements AutoCloseable {
    private static final String PNG = ".png";
    private static final Path DEFAULT = Path.of("output.png");
    private static final Pattern NUMBER = Pattern.compile("%(0\\d)?d");
    private static final Pattern NUMBERED = Pattern.compile("(\\d{1,9})-.*\\.png");

    private final List<Path> files;
    private final ExitHook onExit;
    private boolean closed;

    private OutputFiles(List<Path> files) {
        this.files = files;
        this.onExit = new ExitHook("files", this::end);
    }

    /**
     * @param output what the user named: a .png file (of which several pictures become name-0001.png, ...), a name
     *               with %d or %04d for the number, or a folder (00001-seed.png, ..., after those already there); null
     *               for output.png
     * @param seed   of the first picture
     * @param previews whether a preview of each picture will be written
     * @param inputs files that are read, and are overwritten only when the user named them as output
     */
    static OutputFiles plan(Path output, int count, long seed, boolean previews, List<Path> inputs) {
        List<Path> files = names(output == null ? DEFAULT : output, count, seed);
        boolean asked = output != null && files.equals(List.of(output));
        for (Path file : files) {
            checkTarget(file, asked ? List.of() : inputs);
            if (previews) {
                checkTarget(preview(file), inputs);
            }
        }
        tryFolder(files.getFirst());
        return new OutputFiles(files);
    }

    /** Files in a folder whose names come later. */
    static OutputFiles in(Path folder) {
        tryFolder(folder.resolve("x"));
        return new OutputFiles(List.of());
    }

    private static List<Path> names(Path output, int count, long seed) {
        String text = output.toString();
        if (Files.isDirectory(output)) {
            return inFolder(output, count, seed);
        }
        if (!text.toLowerCase(Locale.ROOT).endsWith(PNG)) {
            throw new InputException(output + ": is neither a folder nor a name that ends in " + PNG
                    + "; pictures are written as PNG");
        }
        String name = output.getFileName().toString();
        Matcher number = NUMBER.matcher(name);
        String pattern = number.find() ? name
                : count == 1 ? null : name.substring(0, name.length() - PNG.length()).replace("%", "%%") + "-%04d"
                + name.substring(name.length() - PNG.length());
        if (pattern == null) {
            return List.of(output);
        }
        if (NUMBER.matcher(name).results().count() > 1 || NUMBER.matcher(name).results().count() == 1
                && name.replaceFirst(NUMBER.pattern(), "").contains("%")) {
            throw new InputException(output + ": only one %d, or %04d with another digit, can stand in a name");
        }
        List<Path> files = new ArrayList<>();
        for (int i = 1; i <= count; i++) {
            files.add(output.resolveSibling(String.format(Locale.ROOT, pattern, i)));
        }
        return files;
    }

    private static List<Path> inFolder(Path folder, int count, long seed) {
        int last = 0;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                Matcher numbered = NUMBERED.matcher(entry.getFileName().toString());
                if (numbered.matches()) {
                    last = Math.max(last, Integer.parseInt(numbered.group(1)));
                }
            }
        } catch (IOException e) {
            throw unwritable(folder, e);
        }
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            files.add(folder.resolve(String.format(Locale.ROOT, "%05d-%s.png", last + 1 + i, Seed.text(seed + i))));
        }
        return files;
    }

    /** Looking at the file also finds names that the file system does not take, such as too long ones. */
    private static void checkTarget(Path file, List<Path> inputs) {
        try {
            if (!Files.readAttributes(file, BasicFileAttributes.class).isRegularFile()) {
                throw new InputException(file + ": is there and is no plain file; name another output with -o");
            }
            for (Path input : inputs) {
                if (Files.isSameFile(file, input)) {
                    throw new InputException(file + ": is an input of this run and would be overwritten; name another"
                            + " output with -o");
                }
            }
        } catch (NoSuchFileException _) {
            // The file is new; whether it can be made is tried in its folder.
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** Creating a file is the only sure test; permissions say little on network and read-only file systems. */
    private static void tryFolder(Path file) {
        try {
            Files.delete(temporary(file));
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    private static Path temporary(Path file) throws IOException {
        return Files.createTempFile(file.toAbsolutePath().getParent(), ".jdiffusion-", ".part");
    }

    private static InputException unwritable(Path file, IOException e) {
        Path folder = file.toAbsolutePath().getParent();
        return new InputException(file + ": cannot be written: " + (!Files.exists(folder)
                ? "there is no folder " + folder + "; create it or name another output with -o" : switch (e) {
                    case AccessDeniedException _, NoSuchFileException _ ->
                            "the folder " + folder + " allows no new files";
                    case FileSystemException f when f.getReason() != null -> f.getReason();
                    default -> e.getMessage();
                }), e);
    }

    /** The file of picture {@code i}, from 0. */
    Path file(int i) {
        return files.get(i);
    }

    /** The file of the preview of picture {@code i}. */
    Path preview(int i) {
        return preview(files.get(i));
    }

    private static Path preview(Path file) {
        String name = file.getFileName().toString();
        return file.resolveSibling(name.substring(0, name.length() - PNG.length()) + ".preview.png");
    }

    /**
     * Writes all of a file and only then gives it its name. The end of the program waits for it, so that no part of a
     * file is made after the last chance to delete it.
     */
    synchronized void write(Path file, byte[] bytes) {
        try {
            if (closed) {
                throw new IOException("the program is ending");
            }
            Path part = temporary(file);
            try {
                // A temporary file is private; a picture gets the permissions of any new file.
                Files.delete(part);
                Files.write(part, bytes);
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    private synchronized void end() {
        closed = true;
    }

    @Override
    public void close() {
        end();
        onExit.close();
    }
}
