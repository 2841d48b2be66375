package jdiffusion.batch;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;

/**
 * Pictures in a folder, spread over 256 folders below {@code images} by the first two digits of their names. Each is
 * written under another name in a folder of this writer's own, brought to the disk and renamed.
 */
public final class FolderStore implements PictureStore {
    /** Below the folder that the user names. */
    public static final String IMAGES = "images";

    private final Path root;
    private final Path parts;

    /**
     * Empties the writer's own folder, where a process that was killed may have left something.
     *
     * @param root   exists
     * @param writer a name that nobody else writes under at the same time
     */
    public FolderStore(Path root, String writer) {
        this.root = root;
        this.parts = root.resolve(".parts" + writer);
        OutputFile.createFolders(parts);
        try (DirectoryStream<Path> left = Files.newDirectoryStream(parts)) {
            for (Path part : left) {
                Files.delete(part);
            }
        } catch (IOException e) {
            throw new InputException(parts + ": what an earlier run left there cannot be deleted (" + e.getMessage()
                    + ")", e);
        }
    }

    private Path path(Planned picture) {
        return root.resolve(place(picture));
    }

    @Override
    public String place(Planned picture) {
        return IMAGES + "/" + picture.name().substring(0, 2) + "/" + picture.name() + picture.ending();
    }

    @Override
    public boolean has(Planned picture) {
        return Files.isRegularFile(path(picture));
    }

    @Override
    public long size(Planned picture) {
        try {
            return Files.size(path(picture));
        } catch (IOException e) {
            throw new InputException(path(picture) + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    @Override
    public long put(Planned picture, byte[] file) {
        Path whole = path(picture);
        Path part = parts.resolve(picture.name() + picture.ending());
        try {
            Files.createDirectories(whole.getParent());
            try (FileChannel channel = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING)) {
                OutputFile.put(channel, ByteBuffer.wrap(file));
                channel.force(true);
            }
            Files.move(part, whole, StandardCopyOption.ATOMIC_MOVE);
            return file.length;
        } catch (IOException e) {
            throw new InputException(whole + ": cannot be written (" + e + "); make room, or check the permissions of"
                    + " its folder", e);
        }
    }

    /** Removes the writer's own folder. */
    void done() {
        try {
            Files.deleteIfExists(parts);
        } catch (IOException _) {
            // It does no harm.
        }
    }
}
