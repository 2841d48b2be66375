package jdiffusion.cli;

import java.util.Map;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.quantize.QuantizingFiles;
import jdiffusion.model.request.PictureText;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** What to quantise. */
final class QuantizeOptions {
    @Option(names = "--quantize", paramLabel = "RULES",
            description = "nf4, fp4 (nf4-double, fp4-double: scales quantised too), q8_0, q4_0, fp8 or fp8-plain, for"
                + " denoiser and T5; or rules with commas between, of which the last that fits"
                + " counts:%n  denoiser=nf4,t5=q8_0,\"*.attn.*=none\".")
    String quantize;

    /** Adds it to a picture's text. */
    void describe(Map<String, String> fields) {
        if (quantize != null) {
            fields.put(PictureText.QUANTIZE, quantize);
        }
    }

    /** Null when nothing is to be quantised. */
    QuantizeRules rules() {
        try {
            return quantize == null ? null : QuantizeRules.parse(quantize);
        } catch (InputException e) {
            throw new InputException("--quantize " + InputException.shown(quantize) + ": " + e.getMessage(), e);
        }
    }

    /** The same, once it is known that each of their patterns fits something in this model. */
    QuantizeRules rules(ModelFiles files) {
        QuantizeRules rules = rules();
        String idle = rules == null ? null : rules.idle(files);
        if (idle != null) {
            throw new InputException("--quantize: no tensor of " + files.origin() + " has a name like "
                    + InputException.shown(idle) + "; see 'jdiffusion inspect --tensors', and note that a pattern is"
                    + " for whole names");
        }
        return rules;
    }

    /** The model with its matrices quantised as they are read. */
    ModelFiles apply(ModelFiles files) {
        QuantizeRules rules = rules(files);
        return rules == null ? files : new QuantizingFiles(files, rules);
    }
}
