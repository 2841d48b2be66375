package jdiffusion.cli;

import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.quantize.QuantizingFiles;
import picocli.CommandLine.Option;

/** What to quantise. */
final class QuantizeOptions {
    @Option(names = "--quantize", paramLabel = "RULES",
            description = "nf4, fp4 (nf4-double, fp4-double: scales quantised too), q8_0, q4_0, fp8 or fp8-plain, for"
                + " denoiser and T5; or rules with commas between, of which the last that fits counts:"
                + " denoiser=nf4,t5=q8_0,\"*.attn.*=none\".")
    String quantize;

    /** Null when nothing is to be quantised. */
    QuantizeRules rules() {
        return quantize == null ? null : QuantizeRules.parse(quantize);
    }

    /** The model with its matrices quantised as they are read. */
    ModelFiles apply(ModelFiles files) {
        QuantizeRules rules = rules();
        return rules == null ? files : new QuantizingFiles(files, rules);
    }
}
