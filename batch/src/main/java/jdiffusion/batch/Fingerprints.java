package jdiffusion.batch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.OutputFile;

/**
 * What tells one model from all others wherever its files lie: the SHA-256 of each component's files of weights, in
 * their order, with the configurations, the vocabularies and the scheduler as they are understood. Hashes of files are
 * remembered under path, size and time of change, since large ones take minutes.
 */
public final class Fingerprints {
    private static final int CHUNK = 1 << 22;
    private static final int MEMORY_LIMIT = 64 << 20;
    /** A hash that took less is not worth a line. */
    private static final long WORTH_REMEMBERING = 1 << 20;
    private static final long LARGE = 1L << 30;

    private final Path memory;
    private final Consumer<String> notes;
    private final Map<String, String> remembered = new TreeMap<>();

    /**
     * @param memory file in which hashes are remembered; null for none
     * @param notes  told when a file is read that takes long
     */
    public Fingerprints(Path memory, Consumer<String> notes) {
        this.memory = memory;
        this.notes = notes;
        if (memory != null && Files.isRegularFile(memory)) {
            try {
                JsonNode root = JsonTree.read(InputFile.bytes(memory, MEMORY_LIMIT, "a memory of hashes"),
                        memory.toString());
                root.properties().forEach(one -> remembered.put(one.getKey(), one.getValue().asText()));
            } catch (InputException e) {
                // It only saves time: what cannot be read is made anew.
                remembered.clear();
            }
        }
    }

    /** The file in a user's folder for what programs keep. */
    public static Path usualMemory(Map<String, String> environment) {
        String cache = environment.get("XDG_CACHE_HOME");
        String home = environment.getOrDefault("HOME", System.getProperty("user.home"));
        Path folder = cache != null && !cache.isBlank() ? Path.of(cache) : Path.of(home, ".cache");
        return folder.resolve("jdiffusion").resolve("hashes.json");
    }

    /** 64 hexadecimal digits. */
    public String of(ModelFiles files) {
        ObjectNode all = JsonTree.object();
        all.put("family", files.architecture().label());
        all.put("variant", files.variant());
        all.set("scheduler", Canonical.json(files.scheduler()));
        all.set("index", files.index().root());
        all.set("generation", files.generationConfig().root());
        for (Component component : files.architecture().components()) {
            if (files.has(component)) {
                ObjectNode part = all.putObject(component.label());
                ArrayNode weights = part.putArray("weights");
                files.weights(component).forEach(file -> weights.add(of(file)));
                try (ModelFiles.Open open = files.inspect(component)) {
                    part.set("config", open.config().root());
                }
                vocabulary(files, component, part);
            }
        }
        return Canonical.sha256(all);
    }

    private void vocabulary(ModelFiles files, Component component, ObjectNode part) {
        VocabularyFile vocabulary = component.isEncoder() ? files.vocabulary(component) : null;
        if (vocabulary != null) {
            ArrayNode tokenizer = part.putArray("tokenizer").add(vocabulary.form().name());
            vocabulary.files().forEach(file -> tokenizer.add(of(file)));
            vocabulary.settings().forEach(file -> tokenizer.add(of(file)));
        }
    }

    /**
     * The SHA-256 of a file.
     *
     * @throws InputException when it cannot be read
     */
    public synchronized String of(Path file) {
        String key;
        long size;
        try {
            Path real = file.toRealPath();
            BasicFileAttributes attributes = Files.readAttributes(real, BasicFileAttributes.class);
            size = attributes.size();
            key = real + "|" + size + "|" + attributes.lastModifiedTime();
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        }
        String known = remembered.get(key);
        if (known != null) {
            return known;
        }
        if (size >= LARGE) {
            notes.accept("hashing " + file.getFileName() + " (" + size / LARGE + " GiB), which is remembered");
        }
        String hash = hash(file);
        remembered.put(key, hash);
        if (memory != null && size >= WORTH_REMEMBERING) {
            keep();
        }
        return hash;
    }

    private static String hash(Path file) {
        MessageDigest digest = Canonical.digest();
        ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
        try (FileChannel channel = InputFile.open(file)) {
            while (channel.read(chunk.clear()) >= 0) {
                digest.update(chunk.flip());
            }
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private void keep() {
        ObjectNode json = JsonTree.object();
        remembered.forEach(json::put);
        try {
            OutputFile.createFolders(memory.toAbsolutePath().getParent());
            OutputFile.write(memory, channel -> OutputFile.put(channel,
                    ByteBuffer.wrap(json.toString().getBytes(StandardCharsets.UTF_8))));
        } catch (InputException e) {
            notes.accept("hashes of files cannot be remembered: " + e.getMessage());
        }
    }
}
