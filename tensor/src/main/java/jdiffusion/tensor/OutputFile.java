package jdiffusion.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Writes files and folders whole or not at all: whoever reads the name sees the old content or all of the new. When
 * anything fails, or the program is interrupted, what was written so far is removed.
 */
public final class OutputFile {
    private OutputFile() {
    }

    /** Writes a file's content. */
    @FunctionalInterface
    public interface Content {
        void writeTo(FileChannel channel) throws IOException;
    }

    /**
     * Writes to a temporary file beside {@code path}, brings it to the disk and renames it; a file of that name is
     * replaced.
     *
     * @throws InputException when the folder is missing or closed to us, or the disk is full
     */
    public static void write(Path path, Content content) {
        try (Leftovers temporary = new Leftovers(path)) {
            try (FileChannel channel = FileChannel.open(temporary.path(), StandardOpenOption.WRITE,
                    StandardOpenOption.CREATE_NEW)) {
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(temporary.path(), path, StandardCopyOption.ATOMIC_MOVE);
            temporary.keep();
        } catch (IOException e) {
            throw unwritable(path, e);
        }
    }

    /**
     * Has a new folder filled under a temporary name beside {@code path} and renames it.
     *
     * @param fill given the folder; its {@link InputException}s that name files in it are thrown with their final names
     * @throws InputException also when there is something under that name, unless it is an empty folder
     */
    public static void writeFolder(Path path, Consumer<Path> fill) {
        checkFree(path);
        Path absolute = path.toAbsolutePath().normalize();
        try (Leftovers temporary = new Leftovers(absolute)) {
            Files.createDirectory(temporary.path());
            fill(temporary.path(), path, fill);
            Files.move(temporary.path(), absolute, StandardCopyOption.ATOMIC_MOVE);
            temporary.keep();
        } catch (IOException e) {
            throw unwritable(path, e);
        }
    }

    private static void fill(Path temporary, Path path, Consumer<Path> fill) {
        try {
            fill.accept(temporary);
        } catch (InputException e) {
            String message = e.getMessage().replace(temporary.toString(), path.toString());
            throw message.equals(e.getMessage()) ? e : new InputException(message, e);
        }
    }

    /** Writes all that a buffer holds, which a channel need not do at once when a disk is almost full. */
    public static void put(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /**
     * Fails when {@link #write} would, so far as that can be told before: a folder has the name, or its folder takes no
     * new files. Making one is the only sure test, since permissions say little on network and system file systems.
     */
    public static void checkFile(Path file) {
        if (Files.isDirectory(file)) {
            throw new InputException(file + ": is a folder; name a file");
        }
        try (Leftovers trial = new Leftovers(file)) {
            Files.createFile(trial.path());
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** Fails when {@link #writeFolder} would, so far as that can be told before. */
    public static void checkFree(Path path) {
        if (!Files.exists(path)) {
            return;
        }
        try (Stream<Path> entries = Files.isDirectory(path) ? Files.list(path) : Stream.of(path)) {
            if (entries.findAny().isPresent()) {
                throw new InputException(path + ": is there already" + (Files.isDirectory(path)
                        ? " and not empty" : ", and is no folder") + "; name a new folder, or delete it");
            }
        } catch (IOException e) {
            throw unwritable(path, e);
        }
    }

    private static InputException unwritable(Path path, IOException e) {
        Path folder = path.toAbsolutePath().getParent();
        return new InputException(path + ": " + switch (e) {
            case FileSystemException _ when Files.exists(folder) && !Files.isDirectory(folder) ->
                    folder + " is no folder; name another place";
            case NoSuchFileException _ -> Files.isDirectory(folder)
                    ? "its folder takes no new files; name another"
                    : "its folder does not exist; create it or name another";
            case AccessDeniedException _ -> "may not be written; check the permissions of its folder";
            case FileSystemException f when f.getReason() != null ->
                    "cannot be written (" + f.getReason() + "); make room or name another place";
            default -> "cannot be written (" + e.getMessage() + "); make room or name another place";
        }, e);
    }

    /** Makes a folder, and those above it, where they are not there. */
    public static void createFolders(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            Path there = folder.toAbsolutePath();
            while (!Files.exists(there)) {
                there = there.getParent();
            }
            String what = folder + ": cannot be made a folder: ";
            throw new InputException(what + (!Files.isDirectory(there) ? there + " is a file; name another place"
                    : e instanceof AccessDeniedException ? "may not write in " + there + "; check its permissions"
                    : there + " takes no new ones; name another place"), e);
        }
    }
}
