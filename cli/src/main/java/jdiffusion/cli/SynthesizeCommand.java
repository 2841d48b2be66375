package jdiffusion.cli;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.concurrent.Callable;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.synthetic.Borrowed;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.SyntheticSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes a checkpoint with random weights. */
@Command(name = "synthesize", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Write a checkpoint of true shapes with random weights.",
        description = "For benchmarks and tests; its pictures are noise. It has the tokenizers of another model, whose"
            + " ids are fewer than its tables have rows.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion synthesize --family sd35-medium synthetic",
            "  jdiffusion synthesize --family sd35-large --components denoiser,vae large",
            "  jdiffusion synthesize --family sd3-medium --tiny tiny"})
final class SynthesizeCommand implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", description = "Folder to make; with --layout all-in-one the file.")
    private Path target;

    @Option(names = "--family", paramLabel = "NAME", required = true,
            completionCandidates = Choices.Synthetic.class,
            description = "One of ${COMPLETION-CANDIDATES}.")
    private String family;

    @Option(names = "--tiny", description = "Small sizes of the same structure.")
    private boolean tiny;

    @Option(names = {"-s", "--seed"}, paramLabel = "N", defaultValue = "1",
            description = "The same seed gives the same weights. Default: ${DEFAULT-VALUE}.")
    private String seed;

    @Option(names = "--dtype", paramLabel = "TYPE", defaultValue = "bf16",
            description = "bf16, f16 or f32. Default: ${DEFAULT-VALUE}.")
    private String type;

    @Mixin
    private ExportChoices choices;

    @Mixin
    private QuantizeOptions quantizing;

    @Option(names = "--layout", paramLabel = "NAME", defaultValue = "diffusers",
            description = "diffusers, single (Stability's names, each encoder in its own file) or all-in-one. Default:"
                + " ${DEFAULT-VALUE}.")
    private String layout;

    @Option(names = "--tokenizers", paramLabel = "DIR",
            description = "Folder with tokenizer, tokenizer_2 and tokenizer_3 to copy. Default: models/shapes beside"
                + " the program.")
    private Path tokenizers;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        SyntheticKind kind = Families.synthetic(family);
        long number = Seed.of(seed);
        Path from = tokenizers == null ? DefaultModel.find() : tokenizers;
        SyntheticModel model = tiny ? kind.tiny(vocabularies(kind, from)) : kind.full();
        ExportOptions options = new ExportOptions(choices.components(EnumSet.allOf(Component.class)),
                quantizing.rules(), null, ExportOptions.DIFFUSERS_SHARD);
        try (SyntheticSource source = new SyntheticSource(model, number, ExportChoices.type(type), from);
                WritingProgress progress = new WritingProgress(main.err())) {
            ExportTarget.of(layout, null, target).write(new Exporter(source, options, progress), target);
            progress.finished(target.toString());
        }
        return Main.OK;
    }

    private static Vocabularies vocabularies(SyntheticKind kind, Path tokenizers) {
        Architecture architecture = kind.full().architecture();
        return new Vocabularies(size(tokenizers, architecture, Component.CLIP_L),
                size(tokenizers, architecture, Component.CLIP_G), size(tokenizers, architecture, Component.T5));
    }

    /** Of a tokenizer; 0 where the model reads nothing with one of the kind. */
    private static int size(Path tokenizers, Architecture architecture, Component encoder) {
        return !architecture.components().contains(encoder) ? 0
                : new Borrowed(tokenizers, architecture).tokenizer(encoder).size();
    }
}
