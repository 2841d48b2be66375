package jdiffusion.batch;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Iterator;
import java.util.Map;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.StreamSupport;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;

/**
 * A folder of pictures and manifests that a shard of a table is drawn into. Any number of shards can be drawn into the
 * same folder at once, each by one process, which may be killed at any time and started again.
 */
public final class BatchFolder implements AutoCloseable {
    private static final String MANIFEST = "manifest";

    private final Path root;
    private final Path manifest;
    private final FolderStore store;
    private final FileChannel lockFile;
    private final FileLock lock;

    /**
     * Opens the folder, which is made where it is not there.
     *
     * @param resume whether an earlier run of the shard may be gone on with
     * @throws InputException when there is an earlier run and it may not, or one is going on
     */
    public BatchFolder(Path root, Shard shard, boolean resume) {
        this.root = root;
        this.manifest = root.resolve(MANIFEST + shard.suffix() + ".jsonl");
        OutputFile.createFolders(root);
        Path lockPath = root.resolve(".lock" + shard.suffix());
        try {
            lockFile = FileChannel.open(lockPath, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            lock = lock(lockFile);
            if (lock == null) {
                lockFile.close();
                throw new InputException(root + ": another process is drawing this shard"
                        + (shard.suffix().isEmpty() ? "" : " (" + shard.index() + " of " + shard.of() + ")")
                        + "; wait for it, or give each process a shard of its own");
            }
        } catch (IOException e) {
            throw new InputException(root + ": cannot be written (" + e + "); check its permissions", e);
        }
        if (!resume && Manifest.isThere(manifest)) {
            close();
            throw new InputException(manifest + ": is there already, of an earlier run; go on with it by --resume, or"
                    + " name another folder");
        }
        try {
            this.store = new FolderStore(root, shard.suffix());
        } catch (InputException e) {
            close();
            throw e;
        }
    }

    private static FileLock lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    /** Where pictures are written. */
    public PictureStore store() {
        return store;
    }

    /** The manifest's file at the end. */
    public Path manifest() {
        return manifest;
    }

    /**
     * Draws what is not there yet, and writes the manifest.
     *
     * @return nanoseconds in which pictures were drawn
     */
    public long run(BatchRun run, Iterator<Row> rows, Shard shard, RowReader reader, String device,
                    BatchFollower follower) {
        String host = host();
        try (Manifest lines = Manifest.open(manifest)) {
            Earlier earlier = new Earlier(lines, store);
            run.run(StreamSupport.stream(Spliterators.spliteratorUnknownSize(rows, Spliterator.ORDERED), false)
                    .filter(shard::has).iterator(), earlier::line, outcome -> {
                lines.add(outcome.json(reader.id(outcome.row()), reader.other(outcome.row()), host, device));
                if (outcome.error() != null) {
                    follower.failed(outcome);
                } else if (outcome.seconds() > 0) {
                    follower.drawn(outcome);
                } else {
                    follower.kept(outcome);
                }
            }, lines::flush);
            lines.finish();
        }
        store.done();
        return run.drawingNanos();
    }

    private static String host() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "localhost";
        }
    }

    /** Finds lines of an earlier run that stand: of the same picture, which is there. */
    private static final class Earlier {
        private final Manifest lines;
        private final PictureStore store;
        private long row = -1;
        private Map<Integer, ObjectNode> ofRow = Map.of();

        Earlier(Manifest lines, PictureStore store) {
            this.lines = lines;
            this.store = store;
        }

        ObjectNode line(Row wanted, int image, Planned picture) {
            if (wanted.number() != row) {
                row = wanted.number();
                ofRow = lines.earlier(row);
            }
            ObjectNode line = ofRow.get(image);
            return line != null && line.path("name").asText().equals(picture.name()) && line.path("error").isNull()
                    && store.has(picture) ? line : null;
        }
    }

    @Override
    public void close() {
        try {
            lock.release();
            lockFile.close();
        } catch (IOException e) {
            throw new InputException(root + ": the lock cannot be given back (" + e.getMessage() + ")", e);
        }
    }
}
