package jdiffusion.tensor;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/** Opens files that the user named, so that everything that can be wrong with them has its own line. */
public final class InputFile {
    private static final byte[] LFS_POINTER = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

    private InputFile() {
    }

    /** Whether there is anything of that name, be it a pipe or a link to nowhere, of which opening it says what. */
    public static boolean isThere(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    /**
     * A channel for reading {@code path} from its start; the file is there, is a plain file, is not empty and is
     * neither a Git LFS pointer nor a web page.
     */
    public static FileChannel open(Path path) {
        if (Files.isDirectory(path)) {
            throw new InputException(path + ": is a folder; a plain file is needed");
        }
        // Opening a pipe would wait for somebody to write into it.
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new InputException(path + ": is a pipe or device; a plain file is needed");
        }
        try {
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            try {
                reject(path, channel);
                return channel;
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    /**
     * The whole file as read-only memory that lives as long as {@code arena}: its own pages, read when first touched.
     * The file must not be cut meanwhile.
     */
    public static MemorySegment map(Path path, Arena arena) {
        try (FileChannel channel = open(path)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            // Seen as plain native memory, like all other tensors: one kind of segment keeps compiled loops simple.
            return MemorySegment.ofAddress(mapped.address()).reinterpret(mapped.byteSize(), arena, null).asReadOnly();
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    /** The whole file, which must not be larger than {@code most} bytes; {@code what} names it in the error. */
    public static byte[] bytes(Path path, int most, String what) {
        try (FileChannel channel = open(path)) {
            long size = channel.size();
            if (size > most) {
                throw new InputException(path + ": has " + size + " bytes, but " + what + " has at most " + most
                        + "; is this the right file?");
            }
            ByteBuffer all = ByteBuffer.allocate((int) size);
            while (all.hasRemaining() && channel.read(all) >= 0) {
                continue;
            }
            if (all.hasRemaining()) {
                throw new InputException(path + ": ended after " + all.position() + " of " + size
                        + " bytes; something else is writing it, try again");
            }
            return all.array();
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    /** The report of an error while {@code path} was read. */
    public static InputException unreadable(Path path, IOException e) {
        return new InputException(path + ": " + switch (e) {
            case NoSuchFileException _ when Files.isSymbolicLink(path) -> "is a link to a file that is not there"
                    + " (an unfinished download?); download it again";
            case NoSuchFileException _ -> "there is no such file; check the name, or download it";
            case CharacterCodingException _ -> "cannot be read (it is not UTF-8; save it as that)";
            case AccessDeniedException _ -> "may not be read; check its permissions";
            case FileSystemException f when f.getReason() != null -> "cannot be read (" + f.getReason() + ")";
            default -> "cannot be read (" + e.getMessage() + ")";
        }, e);
    }

    private static void reject(Path path, FileChannel channel) throws IOException {
        if (channel.size() == 0) {
            throw new InputException(path + ": is empty; download or write it again");
        }
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(FileKind.START, channel.size()));
        while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) >= 0) {
            continue;
        }
        byte[] start = Arrays.copyOf(buffer.array(), buffer.position());
        if (Arrays.equals(start, 0, Math.min(start.length, LFS_POINTER.length), LFS_POINTER, 0, LFS_POINTER.length)) {
            throw new InputException(path + ": is a Git LFS pointer, not the file itself; run \"git lfs pull\" in its"
                    + " repository or download the file");
        }
        if (FileKind.isPage(start)) {
            throw new InputException(path + ": is a web page, not the file itself; what was saved is often a login, an"
                    + " error, or the page that shows the file: download the file behind it");
        }
    }
}
