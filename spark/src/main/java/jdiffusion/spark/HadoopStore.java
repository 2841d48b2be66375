package jdiffusion.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.Locale;
import java.util.Set;
import jdiffusion.batch.FolderStore;
import jdiffusion.batch.PictureStore;
import jdiffusion.batch.Planned;
import jdiffusion.tensor.InputException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;

/**
 * Pictures in one of Hadoop's file systems, under the same names as in {@link FolderStore}. Where a rename is one step
 * (hdfs, file, abfs), a picture is written under a name of the task's own and renamed. In object stores where a rename
 * is a copy, it is uploaded to its own name, which appears when the upload is complete.
 */
final class HadoopStore implements PictureStore {
    /** An unfinished file may be seen in abfs, so it is not one of these. */
    private static final Set<String> COMPLETE_UPLOADS = Set.of("s3a", "s3", "s3n", "gs", "oss", "cosn", "obs");
    private static final String PARTS = ".parts";

    private final FileSystem files;
    private final Path root;
    private final Path parts;
    private final String attempt;
    private final boolean renames;

    /**
     * @param out     a folder
     * @param run     names this run; see {@link #cleanUp}
     * @param attempt a name that no other attempt of a task in this run has
     */
    HadoopStore(String out, String run, String attempt, Configuration configuration) {
        this.root = new Path(out);
        this.files = files(root, configuration);
        this.parts = new Path(root, PARTS + "/" + run);
        this.attempt = attempt;
        this.renames = renames(files.getUri());
    }

    static boolean renames(URI system) {
        return !COMPLETE_UPLOADS.contains(String.valueOf(system.getScheme()).toLowerCase(Locale.ROOT));
    }

    private static FileSystem files(Path root, Configuration configuration) {
        try {
            FileSystem files = root.getFileSystem(configuration);
            // The local one would put a file of checksums beside each picture.
            return files instanceof LocalFileSystem local ? local.getRaw() : files;
        } catch (IOException | RuntimeException e) {
            throw new InputException(root + ": cannot be used as a place for pictures (" + e.getMessage()
                    + "); check the address, and that the cluster has the file system's classes", e);
        }
    }

    /** Removes what killed tasks of a run left. */
    static void cleanUp(String out, String run, Configuration configuration) {
        Path parts = new Path(out, PARTS);
        FileSystem files = files(parts, configuration);
        try {
            files.delete(new Path(parts, run), true);
            if (files.exists(parts) && files.listStatus(parts).length == 0) {
                files.delete(parts, false);
            }
        } catch (FileNotFoundException _) {
            // Another run was faster.
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path path(Planned picture) {
        return new Path(root, place(picture));
    }

    @Override
    public String place(Planned picture) {
        return FolderStore.IMAGES + "/" + picture.name().substring(0, 2) + "/" + picture.name() + picture.ending();
    }

    private FileStatus status(Path path) {
        try {
            return files.getFileStatus(path);
        } catch (FileNotFoundException _) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(path + ": cannot be looked for (" + e.getMessage() + ")", e);
        }
    }

    @Override
    public boolean has(Planned picture) {
        FileStatus status = status(path(picture));
        return status != null && status.isFile();
    }

    @Override
    public long size(Planned picture) {
        FileStatus status = status(path(picture));
        if (status == null) {
            throw new IllegalStateException(path(picture) + ": is gone");
        }
        return status.getLen();
    }

    /** The file of a picture that is there. */
    byte[] read(Planned picture) {
        Path path = path(picture);
        try (var in = files.open(path)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(path + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    @Override
    public long put(Planned picture, byte[] file) {
        Path whole = path(picture);
        try {
            if (renames) {
                rename(file, whole, new Path(parts, attempt + "-" + picture.name()));
            } else {
                write(whole, file);
            }
            return file.length;
        } catch (IOException e) {
            throw new UncheckedIOException(whole + ": cannot be written (" + e.getMessage() + ")", e);
        }
    }

    private void rename(byte[] file, Path whole, Path part) throws IOException {
        boolean renamed = false;
        try {
            write(part, file);
            files.mkdirs(whole.getParent());
            // Where the name is taken, an attempt of the same task or an equal row has written the same bytes.
            renamed = files.rename(part, whole);
            if (!renamed && !files.exists(whole)) {
                throw new IOException("it cannot be renamed from " + part);
            }
        } finally {
            if (!renamed) {
                files.delete(part, false);
            }
        }
    }

    private void write(Path path, byte[] file) throws IOException {
        FSDataOutputStream out = files.create(path, true);
        boolean written = false;
        try {
            out.write(file);
            if (out.hasCapability(StreamCapabilities.HSYNC)) {
                out.hsync();
            }
            written = true;
        } finally {
            // Closing completes an upload, also of a part.
            if (!written && out.hasCapability(StreamCapabilities.ABORTABLE_STREAM)) {
                out.abort();
            }
            out.close();
        }
    }
}
