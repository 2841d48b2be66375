package jdiffusion.tensor;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;

/** A temporary file or folder that is removed when it has not been kept, also when the program is interrupted. */
final class Leftovers implements AutoCloseable {
    private final Path path;
    private final Thread onExit;
    private boolean kept;

    /** @param path beside which a name is made; nothing is created yet */
    Leftovers(Path path) {
        this.path = path.resolveSibling("." + path.getFileName() + "." + ProcessHandle.current().pid() + "-"
                + Long.toHexString(System.nanoTime()) + ".tmp");
        this.onExit = new Thread(this::removeQuietly, "jdiffusion-leftovers");
        Runtime.getRuntime().addShutdownHook(onExit);
    }

    Path path() {
        return path;
    }

    /** It has been given its own name. */
    void keep() {
        kept = true;
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(onExit);
        } catch (IllegalStateException _) {
            // The program is ending, and the hook runs by itself.
        }
        if (!kept && Files.exists(path)) {
            try {
                remove();
            } catch (IOException e) {
                throw new InputException(path + ": is left over and cannot be removed (" + e.getMessage()
                        + "); delete it by hand", e);
            }
        }
    }

    private void removeQuietly() {
        try {
            remove();
        } catch (IOException _) {
            // There is nobody left to tell.
        }
    }

    private void remove() throws IOException {
        if (!Files.exists(path)) {
            return;
        }
        Files.walkFileTree(path, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, IOException e) throws IOException {
                Files.deleteIfExists(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
