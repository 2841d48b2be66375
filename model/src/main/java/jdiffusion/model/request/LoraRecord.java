package jdiffusion.model.request;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.embedding.TextualInversion;
import jdiffusion.tensor.InputFile;

/**
 * What a picture's file says of the LoRAs and textual inversions it was drawn with: the prompt as it was written, the
 * {@code --lora} options, and hashes under the names of the files, as AUTOMATIC1111's web UI writes them.
 *
 * @param prompt     with the names of LoRAs in it
 * @param options    as given
 * @param hashes     of all LoRAs, by name
 * @param inversions hashes of all textual inversions that prompts name, by name
 */
public record LoraRecord(String prompt, List<String> options, Map<String, String> hashes, Map<String, String> inversions) {
    public static final String OPTION = "LoRA ";
    public static final String HASHES = "Lora hashes";
    public static final String INVERSIONS = "TI hashes";
    private static final int DIGITS = 12;
    private static final int CHUNK = 1 << 20;
    static final String SUFFIX = ".safetensors";

    /**
     * Reads and hashes the files.
     *
     * @param options    as given
     * @param inversions that the request's prompts name
     */
    public static LoraRecord of(String prompt, List<String> options, List<Lora> loras,
                                Collection<TextualInversion> inversions) {
        Map<String, String> hashes = new LinkedHashMap<>();
        for (Lora lora : loras) {
            Path file = lora.weights();
            String name = lora.file().toAbsolutePath().normalize().getFileName().toString();
            boolean ending = name.toLowerCase(Locale.ROOT).endsWith(SUFFIX);
            hashes.put(ending ? name.substring(0, name.length() - SUFFIX.length()) : name, hash(file));
        }
        Map<String, String> ofInversions = new LinkedHashMap<>();
        inversions.forEach(inversion -> ofInversions.put(inversion.name(), hash(inversion.file())));
        return new LoraRecord(prompt, options, hashes, ofInversions);
    }

    /** Adds it to a picture's text. */
    public void describe(Map<String, String> fields) {
        for (int i = 0; i < options.size(); i++) {
            fields.put(OPTION + (i + 1), options.get(i));
        }
        describe(HASHES, hashes, fields);
        describe(INVERSIONS, inversions, fields);
    }

    private static void describe(String key, Map<String, String> byName, Map<String, String> fields) {
        if (!byName.isEmpty()) {
            List<String> pairs = new ArrayList<>();
            byName.forEach((name, hash) -> pairs.add(name + ": " + hash));
            fields.put(key, String.join(", ", pairs));
        }
    }

    /** The beginning of SHA-256 of all behind the header, which training programs like to change. */
    static String hash(Path file) {
        try (FileChannel channel = InputFile.open(file)) {
            ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(length, 0);
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
            for (long at = Long.BYTES + length.getLong(0); channel.read(chunk.clear(), at) > 0; at += chunk.limit()) {
                digest.update(chunk.flip());
            }
            return HexFormat.of().formatHex(digest.digest()).substring(0, DIGITS);
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has SHA-256
        }
    }
}
