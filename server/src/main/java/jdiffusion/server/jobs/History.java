package jdiffusion.server.jobs;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import jdiffusion.tensor.InputException;

/**
 * Pictures in a folder, as {@code generate -o FOLDER} names them: a number that counts up, and the seed. There is
 * nothing beside the files: their settings are in them, and whatever is put there or taken away counts.
 */
public final class History {
    private static final Pattern NAME = Pattern.compile("(\\d{5,9})-(\\d{1,20})");
    private static final String PNG = ".png";
    private static final String PART = ".jdiffusion-";
    private static final Duration ABANDONED = Duration.ofHours(1);

    private final Path folder;
    private int last;

    /**
     * A picture of the folder.
     *
     * @param name without the ending
     * @param text its settings; null when it has none
     */
    public record Item(String name, Instant time, long bytes, String text) {
    }

    /** @throws InputException when it is no folder in which files can be made */
    public History(Path folder) {
        this.folder = folder;
        try {
            Files.createDirectories(folder);
            removeParts();
            for (String name : names()) {
                last = Math.max(last, number(name));
            }
            Files.delete(Files.createTempFile(folder, PART, ".part"));
        } catch (IOException e) {
            throw new InputException("-o " + folder + ": pictures cannot be written there (" + e.getMessage()
                    + "); name another folder", e);
        }
    }

    /** Of a server that was killed. */
    private void removeParts() throws IOException {
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(folder, PART + "*.part")) {
            for (Path part : parts) {
                if (Files.getLastModifiedTime(part).toInstant().isBefore(Instant.now().minus(ABANDONED))) {
                    Files.deleteIfExists(part);
                }
            }
        }
    }

    private static int number(String name) {
        Matcher matcher = NAME.matcher(name);
        return matcher.matches() ? Integer.parseInt(matcher.group(1)) : 0;
    }

    private List<String> names() throws IOException {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*" + PNG)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                String stem = name.substring(0, name.length() - PNG.length());
                if (NAME.matcher(stem).matches()) {
                    names.add(stem);
                }
            }
        }
        return names;
    }

    /**
     * Writes all of a picture and only then gives it its name.
     *
     * @param notes told when that does not work
     * @return its name; null when it could not be written
     */
    synchronized String store(byte[] png, long seed, Consumer<String> notes) {
        Path part = null;
        try {
            String name;
            do {
                name = String.format(Locale.ROOT, "%05d-%s", ++last, Long.toUnsignedString(seed));
            } while (Files.exists(folder.resolve(name + PNG)));
            part = Files.createTempFile(folder, PART, ".part");
            // A temporary file is private; a picture gets the permissions of any new file.
            Files.delete(part);
            Files.write(part, png);
            Files.move(part, folder.resolve(name + PNG), StandardCopyOption.ATOMIC_MOVE);
            return name;
        } catch (IOException e) {
            notes.accept("the picture could not be kept in the server's folder: "
                    + (e.getClass() == IOException.class ? e.getMessage() : e.getClass().getSimpleName()));
            return null;
        } finally {
            delete(part);
        }
    }

    private static void delete(Path part) {
        try {
            if (part != null) {
                Files.deleteIfExists(part);
            }
        } catch (IOException _) {
            // It is left for the next start.
        }
    }

    /**
     * Pictures from the newest on.
     *
     * @param before the name after which to go on; null for the newest
     */
    public List<Item> page(String before, int count) {
        List<Item> items = new ArrayList<>();
        try {
            Comparator<String> order = Comparator.comparingInt(History::number).thenComparing(name -> name);
            List<String> names = names().stream().filter(name -> before == null || order.compare(name, before) < 0)
                    .sorted(order.reversed()).toList();
            for (String name : names) {
                Item item = items.size() < count ? item(name) : null;
                if (item != null) {
                    items.add(item);
                }
            }
        } catch (IOException e) {
            throw new InputException("the server's folder cannot be read: " + e.getMessage(), e);
        }
        return items;
    }

    /** A picture by its name; null when there is none. */
    public Item item(String name) {
        Path file = file(name);
        try {
            if (file == null || !Files.isRegularFile(file)) {
                return null;
            }
            return new Item(name, Files.getLastModifiedTime(file).toInstant(), Files.size(file), text(file));
        } catch (IOException e) {
            return null; // somebody took it away
        }
    }

    private static String text(Path file) {
        try {
            Map<String, String> texts = Png.texts(file);
            return texts.get(Infotext.KEYWORD);
        } catch (InputException e) {
            return null; // no picture of ours
        }
    }

    /** The bytes of its file; null when there is none. */
    public byte[] png(String name) {
        Path file = file(name);
        try {
            return file == null || !Files.isRegularFile(file) ? null : Files.readAllBytes(file);
        } catch (IOException e) {
            return null;
        }
    }

    /** Deletes a picture; false when there is none. */
    public boolean delete(String name) {
        Path file = file(name);
        try {
            return file != null && Files.isRegularFile(file) && Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new InputException("the picture cannot be deleted: " + e.getClass().getSimpleName(), e);
        }
    }

    /** Only names that pictures here get are looked for, so that no other file is ever opened. */
    private Path file(String name) {
        return NAME.matcher(name).matches() ? folder.resolve(name + PNG) : null;
    }
}
