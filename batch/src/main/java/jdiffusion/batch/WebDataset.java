package jdiffusion.batch;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * Packs the pictures of a finished manifest into tar files of WebDataset's form: for each row's picture a key with the
 * picture, its prompt as .txt and its line of the manifest as .json, in the order of the rows. The same manifest gives
 * the same bytes.
 */
public final class WebDataset {
    private static final String FOLDER = "shards";
    private static final int FILE_MODE = 0644;

    private WebDataset() {
    }

    /**
     * Packs them; tar files of an earlier packing are replaced.
     *
     * @param root    folder that the manifest's names are relative to
     * @param samples pictures in a tar file
     * @return how many tar files there are
     */
    public static int pack(Path root, Path manifest, Shard shard, int samples) {
        if (samples < 1) {
            throw new InputException("--webdataset is " + samples + "; give the pictures in a tar file, 1 or more");
        }
        OutputFile.createFolders(root.resolve(FOLDER));
        try (BufferedReader lines = Files.newBufferedReader(manifest)) {
            int tars = 0;
            ObjectNode[] first = {next(lines)};
            while (first[0] != null) {
                String name = (shard.of() == 1 ? "" : shard.suffix().substring(1) + "-")
                        + String.format(Locale.ROOT, "%06d.tar", tars++);
                OutputFile.write(root.resolve(FOLDER).resolve(name), channel -> {
                    BufferedOutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
                    TarArchiveOutputStream tar = new TarArchiveOutputStream(out, StandardCharsets.UTF_8.name());
                    tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
                    for (int i = 0; i < samples && first[0] != null; i++) {
                        add(tar, root, first[0]);
                        first[0] = next(lines);
                    }
                    tar.finish();
                    out.flush();
                });
            }
            return tars;
        } catch (IOException e) {
            throw new InputException(manifest + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /** The next line with a picture; null at the end. */
    private static ObjectNode next(BufferedReader lines) throws IOException {
        String text;
        while ((text = lines.readLine()) != null) {
            if (JsonTree.readWhole(text) instanceof ObjectNode line && line.path("file").isTextual()) {
                return line;
            }
        }
        return null;
    }

    private static void add(TarArchiveOutputStream tar, Path root, ObjectNode line) throws IOException {
        String key = String.format(Locale.ROOT, "%09d-%03d", line.get("row").longValue(),
                line.get("image").intValue());
        String file = line.get("file").textValue();
        add(tar, key + file.substring(file.lastIndexOf('.')), Files.readAllBytes(root.resolve(file)));
        add(tar, key + ".txt", line.get("prompt").textValue().getBytes(StandardCharsets.UTF_8));
        add(tar, key + ".json", line.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static void add(TarArchiveOutputStream tar, String name, byte[] bytes) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name);
        entry.setSize(bytes.length);
        entry.setMode(FILE_MODE);
        entry.setModTime(0);
        entry.setIds(0, 0);
        entry.setNames("", "");
        tar.putArchiveEntry(entry);
        tar.write(bytes);
        tar.closeArchiveEntry();
    }
}
