package jdiffusion.model.request;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.vae.TaesdFile;

/**
 * The TAESD that the user gives.
 *
 * @param file    null for none
 * @param encodes whether it encodes the picture to start from
 * @param decodes whether it makes the picture, too, and not only previews
 */
public record TaesdInput(TaesdFile file, boolean encodes, boolean decodes) {
    /** Its name, where it made the picture. */
    public static final String NAME = "TAESD";
    public static final String HASH = "TAESD hash";
    /** The same, where it encoded the picture to start from. */
    public static final String ENCODER = "TAESD encoder";
    public static final String ENCODER_HASH = "TAESD encoder hash";

    public static final TaesdInput NONE = new TaesdInput(null, false, false);

    /** The pipeline that encodes and decodes by it where that is wanted. */
    public Pipeline addTo(Pipeline pipeline) {
        return encodes || decodes ? pipeline.withTaesd(file, encodes, decodes) : pipeline;
    }

    /** Adds it to a picture's text. */
    public void describe(Map<String, String> fields) {
        if (decodes) {
            fields.put(NAME, file.name());
            put(fields, HASH, hash());
        }
        if (encodes) {
            fields.put(ENCODER, file.name());
            put(fields, ENCODER_HASH, encoderHash());
        }
    }

    private static void put(Map<String, String> fields, String key, String hash) {
        if (hash != null) {
            fields.put(key, hash);
        }
    }

    /** Of the decoder's weights; null where they are not in a single safetensors file. */
    public String hash() {
        return hash(file.decoder());
    }

    /** The same of the encoder's. */
    public String encoderHash() {
        return file.encoder() == null ? null : hash(file.encoder());
    }

    private static String hash(Path weights) {
        String name = weights.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.endsWith(LoraRecord.SUFFIX) ? LoraRecord.hash(weights) : null;
    }

    /** For the line of settings. */
    public String inWords() {
        return !encodes && !decodes ? "" : ", " + (encodes && decodes ? "encoded and decoded" : encodes ? "encoded"
                : "decoded") + " by TAESD " + file.name();
    }
}
