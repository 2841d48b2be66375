package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.convert.CheckpointSource;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.Checkpoint;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Writes a model again in another layout, format or type. */
@Command(name = "convert", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Write a model in another layout, format or type.",
        description = "The output's name says what it is: a folder in the diffusers layout, or the denoiser in a"
            + " .safetensors or .gguf file. It is there whole or not at all.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion convert models/shapes -o small --quantize nf4",
            "  jdiffusion convert DIR -o denoiser-q8.gguf --quantize q8_0",
            "  jdiffusion convert DIR -o all.safetensors --layout all-in-one --dtype f16"})
final class ConvertCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "MODEL",
            description = "Model folder or file. Default: that of --model, or models/shapes beside the program.")
    private Path source;

    @Option(names = {"-o", "--output"}, paramLabel = "PATH", required = true,
            description = "A new folder, or a file that ends in .safetensors or .gguf.")
    private Path target;

    @Option(names = "--overwrite", description = "Replace a file of the output's name.")
    private boolean overwrite;

    @Option(names = "--format", paramLabel = "NAME", description = "safetensors or gguf. Default: by the name.")
    private String format;

    @Option(names = "--layout", paramLabel = "NAME",
            description = "diffusers, single (Stability's names) or all-in-one. Default: diffusers for a folder, single"
                + " for a file.")
    private String layout;

    @Mixin
    private ExportChoices choices;

    @Mixin
    private QuantizeOptions quantizing;

    @Option(names = "--dtype", paramLabel = "TYPE",
            description = "bf16, f16 or f32 for what is not quantised. Default: as it is.")
    private String type;

    @Mixin
    private ModelOptions model;

    @CommandLine.ParentCommand
    private Main main;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() {
        if (source != null && model.model != null) {
            throw new ParameterException(spec.commandLine(), "the model is given twice, as " + source + " and with"
                    + " --model");
        }
        model.model = source == null ? model.model : source;
        ExportTarget form = ExportTarget.of(layout, format, target);
        if (form.isFile() && Files.isDirectory(target)) {
            throw new InputException(target + ": is a folder; name a file");
        }
        Set<Component> components = choices.components(form.denoiserAlone() ? EnumSet.of(Component.DENOISER)
                : EnumSet.allOf(Component.class));
        if (form == ExportTarget.GGUF && !components.equals(EnumSet.of(Component.DENOISER))) {
            throw new InputException(target + ": a GGUF file holds the denoiser alone; leave --components out");
        }
        QuantizeRules parsed = quantizing.rules();
        DType dtype = ExportChoices.type(type);
        ModelFiles files = model.open(Set.of());
        ExportOptions options = new ExportOptions(components, parsed == null ? null : quantizing.rules(files), dtype,
                ExportOptions.DIFFUSERS_SHARD);
        check(files, components);
        checkOutside(Path.of(files.origin()));
        if (form.isFile() && !overwrite && Files.exists(target)) {
            throw new InputException(target + ": is there already; name another file, or replace it with --overwrite");
        }
        try (CheckpointSource opened = new CheckpointSource(files);
                WritingProgress progress = new WritingProgress(main.err())) {
            files.notes().forEach(progress::note);
            form.write(new Exporter(opened, options, progress), target);
            progress.finished(target.toString());
        }
        return Main.OK;
    }

    /** What would not load is not written, and a file that is read is not written onto. */
    private void check(ModelFiles files, Set<Component> components) {
        for (Component component : Component.values()) {
            if (files.has(component)) {
                try (ModelFiles.Open open = files.open(component)) {
                    if (Checkpoint.files(Path.of(open.tensors().origin())).stream().anyMatch(this::isTarget)) {
                        throw new InputException(target + ": is read as " + component.label()
                                + "; name another output");
                    }
                    if (components.contains(component)) {
                        files.architecture().network(component)
                                .load(Weights.of(open.tensors(), Placement.onHost()), open.config());
                    }
                }
            }
        }
    }

    /** A model read again would find what was written into its folder beside its own weights. */
    private void checkOutside(Path model) {
        try {
            Path folder = target.toAbsolutePath().normalize().getParent();
            if (Files.isDirectory(model) && folder != null && Files.isDirectory(folder)
                    && folder.toRealPath().startsWith(model.toRealPath())) {
                throw new InputException(target + ": is in the folder of the model that is read, " + model
                        + "; name an output outside");
            }
        } catch (IOException e) {
            throw new InputException(target + ": cannot be looked at: " + e.getMessage(), e);
        }
    }

    private boolean isTarget(Path file) {
        try {
            return Files.exists(target) && Files.exists(file) && Files.isSameFile(target, file);
        } catch (IOException e) {
            throw new InputException(target + ": cannot be looked at: " + e.getMessage(), e);
        }
    }
}
