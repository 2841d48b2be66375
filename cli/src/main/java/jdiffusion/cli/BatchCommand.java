package jdiffusion.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import jdiffusion.batch.BatchFolder;
import jdiffusion.batch.BatchModels;
import jdiffusion.batch.BatchRun;
import jdiffusion.batch.Fingerprints;
import jdiffusion.batch.ModelPainter;
import jdiffusion.batch.PainterSettings;
import jdiffusion.batch.PromptTable;
import jdiffusion.batch.Row;
import jdiffusion.batch.RowReader;
import jdiffusion.batch.Shard;
import jdiffusion.batch.WebDataset;
import jdiffusion.model.JsonTree;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.device.Devices;
import jdiffusion.model.image.PictureFormat;
import jdiffusion.model.request.ControlChoice;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Draws a table of prompts. */
@Command(name = "batch", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Draw a table of prompts: each picture once, in shards, to be resumed at any time.",
        description = "A row is a JSON object in a line of a .jsonl file, or a line of a .csv or .tsv file. Its columns"
            + " are named as the options of 'generate': prompt, negative_prompt, seed, images, width, height, steps,"
            + " guidance, sampler, schedule, lora, init, mask, strength, model and more; options given here hold where"
            + " a row says nothing. Other columns pass through to the manifest. Names of files in rows are relative to"
            + " the table's folder. docs/batch.md says more.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion batch prompts.jsonl -o pictures/",
            "  jdiffusion batch prompts.csv -o pictures/ --steps 8 --resume",
            "  jdiffusion batch prompts.jsonl.gz -o pictures/ --shard auto/16 --resume"})
final class BatchCommand implements Callable<Integer> {
    private static final int JPEG_QUALITY = 95;

    @Parameters(paramLabel = "TABLE", description = "The rows: .jsonl, .csv or .tsv, packed or not (.gz).")
    private Path table;

    @Option(names = {"-o", "--output"}, paramLabel = "DIR", required = true,
            description = "Folder for images/ and manifest.jsonl.")
    private Path output;

    @Option(names = "--resume", description = "Go on with an earlier run: what is there is not drawn again.")
    private boolean resume;

    @Option(names = "--shard", paramLabel = "I/N",
            description = "Every N-th row from row I on, counted from 0; auto/N takes I from JOB_COMPLETION_INDEX or"
                + " SLURM_ARRAY_TASK_ID. Default: all.")
    private String shard;

    @Option(names = "--strict", description = "End at the first row that cannot be drawn.")
    private boolean strict;

    @Option(names = "--batch-size", paramLabel = "N",
            description = "Pictures that are denoised at once, where rows are alike in all but texts and seeds. Changes"
                + " no byte. Default: by their size.")
    private Integer batchSize;

    @Option(names = "--format", paramLabel = "NAME", defaultValue = "png",
            description = "png, with the settings in it, or jpeg. Default: ${DEFAULT-VALUE}.")
    private String format;

    @Option(names = "--quality", paramLabel = "N", description = "Of JPEG, 1 to 100. Default: 95.")
    private Integer quality;

    @Option(names = "--webdataset", paramLabel = "N",
            description = "When all is drawn, also write tar files of N pictures with captions, as WebDataset reads"
                + " them.")
    private Integer webDataset;

    @Option(names = "--wildcards", paramLabel = "DIR",
            description = "Where the lists are that prompts name as __NAME__.")
    private Path wildcards;

    @Option(names = "--literal", description = "Take {a|b} and __NAME__ in prompts for text.")
    private boolean literal;

    @Option(names = "--json", description = "Print an account of the run as JSON.")
    private boolean json;

    @Mixin
    private ModelOptions model;

    @Mixin
    private GenerateOptions options;

    @Mixin
    private QuantizeOptions quantizing;

    @Mixin
    private AdapterOptions adapters;

    @Mixin
    private DeviceOptions deviceOptions;

    @Mixin
    private MemoryOptions memoryOptions;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        options.check();
        checkColumns();
        model.checkNotLeftOut(options.leftOut());
        if (batchSize != null && (batchSize < 1 || batchSize > 256)) {
            throw new InputException("--batch-size is " + batchSize + "; use 1 to 256");
        }
        Shard part = shard == null ? Shard.WHOLE : Shard.of(shard, main.environment());
        long seed = options.seed == null ? 0 : Seed.of(options.seed);
        options.seed = null;
        PictureFormat pictures = PictureFormat.of(format, quality, JPEG_QUALITY);
        Set<String> told = new HashSet<>();
        Consumer<String> notes = note -> {
            if (told.add(note)) {
                main.err().println("note: " + note);
            }
        };
        Path folder = table.toAbsolutePath().normalize().getParent();
        RowReader reader = new RowReader(wildcards, literal, folder, seed, notes);
        long start = System.nanoTime();
        long total = count(reader, part);
        try (BatchFolder target = new BatchFolder(output, part, resume);
                Devices.Opened opened = Devices.open(deviceOptions.choice(), options.precision, notes);
                DeviceAccount _ = deviceOptions.account(opened, "jdiffusion batch", main.err());
                ModelPainter painter = new ModelPainter(settings(pictures, folder), reader,
                        new Fingerprints(Fingerprints.usualMemory(main.environment()), notes), opened.backend(), notes);
                BatchConsole console = new BatchConsole(main.err(), total);
                PromptTable rows = PromptTable.open(table)) {
            console.line("device: " + painter.device());
            long drawing = target.run(new BatchRun(painter, target.store(), strict), rows, part, reader,
                    painter.device(), console);
            int tars = webDataset == null ? 0 : WebDataset.pack(output, target.manifest(), part, webDataset);
            console.end(target.manifest(), tars, (System.nanoTime() - start) / 1e9, drawing / 1e9);
            if (json) {
                main.out().println(account(console, target.manifest(), (System.nanoTime() - start) / 1e9,
                        drawing / 1e9));
            }
            return console.failures() == 0 ? Main.OK : Main.FAILED;
        }
    }

    private static ObjectNode account(BatchConsole console, Path manifest, double seconds, double drawing) {
        return JsonTree.object().put("drawn", console.drawnCount()).put("kept", console.keptCount())
                .put("failed", console.failures()).put("manifest", manifest.toString())
                .put("seconds", Math.round(seconds * 1e3) / 1e3)
                .put("drawing_seconds", Math.round(drawing * 1e3) / 1e3);
    }

    /** Pictures of the shard, for the time left; the table is read once for it. */
    private long count(RowReader reader, Shard part) {
        long total = 0;
        try (PromptTable rows = PromptTable.open(table)) {
            while (rows.hasNext()) {
                Row row = rows.next();
                if (part.has(row)) {
                    try {
                        total += reader.images(row);
                    } catch (InputException e) {
                        total++; // told when its turn comes
                    }
                }
            }
        }
        return total;
    }

    /** What is of one picture is a column. */
    private void checkColumns() {
        String wrong = options.initImg != null ? "--init-img is a picture; give a column init"
                : options.mask != null ? "--mask is a picture; give a column mask"
                : options.strength != null ? "--strength is of an init image; give columns init and strength"
                : options.hires.hires != null ? "a second pass is of a row; give columns hires, hires_strength, ..."
                : options.masking.isGiven()
                        ? "what is of a mask or a border is a row's; give columns mask, outpaint, ..."
                : !adapters.control().equals(ControlChoice.NONE)
                        ? "a ControlNet is a row's; give columns control_net and control_image"
                : options.methods.isOneDraw() || options.methods.batch != null
                        ? "rows are drawn each by itself; leave --batch-seeds out" : null;
        if (wrong != null) {
            throw new InputException(wrong);
        }
    }

    private PainterSettings settings(PictureFormat pictures, Path folder) {
        Map<String, String> more = new LinkedHashMap<>();
        quantizing.describe(more);
        List<Lora> loras = adapters.loras("", null);
        return new PainterSettings(named -> open(named == null ? model.path() : folder.resolve(named)),
                (defaults, family) -> options.applyTo(defaults, family).build(), loras, adapters.given(),
                adapters.loraDir, options.taesd(), memoryOptions.wish(), more, pictures,
                batchSize == null ? 0 : batchSize, Version.line());
    }

    private BatchModels.Model open(Path path) {
        ModelFiles files = adapters.embedded(quantizing.apply(options.sampling.of(model.open(path,
                options.leftOut()))));
        Path name = path.toAbsolutePath().normalize().getFileName();
        return new BatchModels.Model(name == null ? "model" : name.toString(), files);
    }
}
