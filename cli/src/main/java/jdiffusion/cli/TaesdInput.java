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
 * @param decodes whether it makes the picture, too, and not only previews
 */
record TaesdInput(TaesdFile file, boolean decodes) {
    /** Its name, where it made the picture. */
    static final String NAME = "TAESD";
    static final String HASH = "TAESD hash";

    /** Fails when the options contradict each other or there is no TAESD. */
    static TaesdInput of(GenerateOptions options) {
        boolean decodes = Boolean.TRUE.equals(options.taesdOnly);
        if (decodes && options.taesd == null) {
            throw new InputException("--taesd-only is given, but no TAESD; give its folder or file with --taesd");
        }
        return new TaesdInput(options.taesd == null ? null : TaesdFile.of(options.taesd), decodes);
    }

    /** Fails when it is given and nothing would come of it. */
    void checkUsed(boolean previews) {
        if (file != null && !decodes && !previews) {
            throw new InputException("--taesd " + file.given() + " would not be used; add --preview N to see previews"
                    + " by it, or --taesd-only to have the picture decoded by it");
        }
    }

    /** The pipeline that decodes by it where that is wanted. */
    Pipeline addTo(Pipeline pipeline) {
        return decodes ? pipeline.withTaesd(file) : pipeline;
    }

    void describe(Map<String, String> fields) {
        if (decodes) {
            fields.put(NAME, file.name());
            String hash = hash();
            if (hash != null) {
                fields.put(HASH, hash);
            }
        }
    }

    /** Of the decoder's weights; null where they are not in a single safetensors file. */
    String hash() {
        Path name = file.decoder().getFileName();
        return name.toString().toLowerCase(Locale.ROOT).endsWith(LoraRecord.SUFFIX)
                ? LoraRecord.hash(file.decoder()) : null;
    }

    String inWords() {
        return decodes ? ", decoded by TAESD " + file.name() : "";
    }
}
