package jdiffusion.tensor;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Writes files whole or not at all: whoever reads the name sees the old content or all of the new. */
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
     * replaced. When anything fails, the temporary file is removed.
     *
     * @throws InputException when the folder is missing or closed to us, or the disk is full
     */
    public static void write(Path path, Content content) {
        Path temporary = path.resolveSibling("." + path.getFileName() + "." + ProcessHandle.current().pid() + "-"
                + Long.toHexString(System.nanoTime()) + ".tmp");
        boolean created = false;
        boolean moved = false;
        try {
            try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE,
                    StandardOpenOption.CREATE_NEW)) {
                created = true;
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
            moved = true;
        } catch (IOException e) {
            throw unwritable(path, e);
        } finally {
            if (created && !moved) {
                remove(temporary);
            }
        }
    }

    private static InputException unwritable(Path path, IOException e) {
        return new InputException(path + ": " + switch (e) {
            case NoSuchFileException _ -> "its folder does not exist; create it or name another";
            case AccessDeniedException _ -> "may not be written; check the permissions of its folder";
            default -> "cannot be written (" + e.getMessage() + "); make room or name another place";
        }, e);
    }

    private static void remove(Path temporary) {
        try {
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            throw new InputException(temporary + ": is left over and cannot be removed (" + e.getMessage()
                    + "); delete it by hand", e);
        }
    }
}
