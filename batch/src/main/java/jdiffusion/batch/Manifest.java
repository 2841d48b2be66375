package jdiffusion.batch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/**
 * What became of a table's rows: a line of JSON for each picture, in the order of the rows. While a run lasts its lines
 * are in {@code NAME.part}; at its end the file gets its name. A run that goes on after another takes over that one's
 * lines, those of a run that was killed included, without holding them in memory.
 */
final class Manifest implements AutoCloseable {
    private static final String PART = ".part";
    private static final String MERGED = ".merged";

    private final Path file;
    private final Path part;
    private final BufferedWriter out;
    private final BufferedReader old;
    private ObjectNode ahead;

    private Manifest(Path file, BufferedWriter out, BufferedReader old) {
        this.file = file;
        this.part = beside(file, PART);
        this.out = out;
        this.old = old;
    }

    private static Path beside(Path file, String ending) {
        return file.resolveSibling(file.getFileName() + ending);
    }

    /** Whether an earlier run left one. */
    static boolean isThere(Path file) {
        return Files.exists(file) || Files.exists(beside(file, PART));
    }

    /** Begins one, going on from an earlier run's. */
    static Manifest open(Path file) {
        try {
            salvage(file);
            BufferedWriter out = Files.newBufferedWriter(beside(file, PART));
            return new Manifest(file, out, Files.exists(file) ? Files.newBufferedReader(file) : null);
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    private static InputException failed(Path file, IOException e) {
        return new InputException(file + ": the manifest cannot be read or written (" + e
                + "); make room, or check its folder's permissions", e);
    }

    /** Makes one file of a finished manifest and the beginning of a newer one. */
    private static void salvage(Path file) throws IOException {
        Path part = beside(file, PART);
        if (!Files.exists(part)) {
            return;
        }
        Path merged = beside(file, MERGED);
        long last = -1;
        try (BufferedWriter out = Files.newBufferedWriter(merged)) {
            try (BufferedReader begun = Files.newBufferedReader(part)) {
                ObjectNode line;
                while ((line = next(begun)) != null) {
                    write(out, line);
                    last = row(line);
                }
            }
            if (Files.exists(file)) {
                try (BufferedReader whole = Files.newBufferedReader(file)) {
                    ObjectNode line;
                    while ((line = next(whole)) != null) {
                        if (row(line) > last) {
                            write(out, line);
                        }
                    }
                }
            }
        }
        force(merged);
        Files.move(merged, file, StandardCopyOption.ATOMIC_MOVE);
        Files.delete(part);
    }

    private static void force(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    private static long row(ObjectNode line) {
        return line.get("row").longValue();
    }

    /** The next line that is whole; null at the end. */
    private static ObjectNode next(BufferedReader in) throws IOException {
        String text;
        while ((text = in.readLine()) != null) {
            if (JsonTree.readWhole(text) instanceof ObjectNode line && line.path("row").isIntegralNumber()
                    && line.path("image").isIntegralNumber()) {
                return line;
            }
        }
        return null;
    }

    private static void write(BufferedWriter out, JsonNode line) throws IOException {
        out.write(line.toString());
        out.write('\n');
    }

    /** What an earlier run said of a row's pictures, by their numbers; rows are asked for in order. */
    Map<Integer, ObjectNode> earlier(long row) {
        Map<Integer, ObjectNode> lines = new HashMap<>();
        try {
            while (old != null) {
                ahead = ahead == null ? next(old) : ahead;
                if (ahead == null || row(ahead) > row) {
                    break;
                }
                if (row(ahead) == row) {
                    lines.put(ahead.get("image").intValue(), ahead);
                }
                ahead = null;
            }
        } catch (IOException e) {
            throw failed(file, e);
        }
        return lines;
    }

    /** Adds a line. */
    synchronized void add(ObjectNode line) {
        try {
            write(out, line);
        } catch (IOException e) {
            throw failed(part, e);
        }
    }

    /** Brings the lines so far to where they outlive the process. */
    synchronized void flush() {
        try {
            out.flush();
        } catch (IOException e) {
            throw failed(part, e);
        }
    }

    /** Gives the file its name: all rows are in it. */
    void finish() {
        try {
            out.close();
            force(part);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    @Override
    public void close() {
        try (out; old) {
            ahead = null;
        } catch (IOException e) {
            throw failed(file, e);
        }
    }
}
