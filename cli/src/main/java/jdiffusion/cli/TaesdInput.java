package jdiffusion.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.tensor.InputException;

/**
 * The TAESD that the user gives.
 *
 * @param file    null for none
 * @param encodes whether it encodes the picture to start from
 * @param decodes whether it makes the picture, too, and not only previews
 */
record TaesdInput(TaesdFile file, boolean encodes, boolean decodes) {
    /** Its name, where it made the picture. */
    static final String NAME = "TAESD";
    static final String HASH = "TAESD hash";
    /** The same, where it encoded the picture to start from. */
    static final String ENCODER = "TAESD encoder";
    static final String ENCODER_HASH = "TAESD encoder hash";

    /** Fails when the options contradict each other or there is no TAESD. */
    static TaesdInput of(GenerateOptions options) {
        boolean decodes = Boolean.TRUE.equals(options.taesdOnly);
        if (decodes && options.taesd == null) {
            throw new InputException("--taesd-only is given, but no TAESD; give its folder or file with --taesd");
        }
        boolean encodes = Boolean.TRUE.equals(options.taesdEncoder);
        if (encodes && options.taesd == null) {
            throw new InputException("--taesd-encoder is given, but no TAESD; give its folder or file with --taesd");
        }
        return new TaesdInput(options.taesd == null ? null : TaesdFile.of(options.taesd), encodes, decodes);
    }

    /** Fails when it is given and nothing would come of it. */
    void checkUsed(boolean previews) {
        if (file != null && !encodes && !decodes && !previews) {
            throw new InputException("--taesd " + file.given() + " would not be used; add --preview N to see previews"
                    + " by it, or --taesd-only to have the picture decoded by it");
        }
    }

    /** The pipeline that encodes and decodes by it where that is wanted. */
    Pipeline addTo(Pipeline pipeline) {
        return encodes || decodes ? pipeline.withTaesd(file, encodes, decodes) : pipeline;
    }

    void describe(Map<String, String> fields) {
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
    String hash() {
        return hash(file.decoder());
    }

    /** The same of the encoder's. */
    String encoderHash() {
        return file.encoder() == null ? null : hash(file.encoder());
    }

    private static String hash(Path weights) {
        String name = weights.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.endsWith(LoraRecord.SUFFIX) ? LoraRecord.hash(weights) : null;
    }

    String inWords() {
        return !encodes && !decodes ? "" : ", " + (encodes && decodes ? "encoded and decoded" : encodes ? "encoded"
                : "decoded") + " by TAESD " + file.name();
    }
}
