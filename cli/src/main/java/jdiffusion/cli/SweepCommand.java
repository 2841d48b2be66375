package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import jdiffusion.model.experiment.Interventions;
import jdiffusion.model.experiment.Sweep;
import jdiffusion.model.experiment.SweepAxis;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.PictureText;
import jdiffusion.tensor.OutputFile;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Draws a grid of pictures, each with something changed. */
@Command(name = "sweep", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Draw a grid of interventions or options over prompts and seeds.",
        description = "Each --vary is an axis; all are combined. Every cell is compared with the plain picture of its"
            + " prompt and seed. What is in results.jsonl is not drawn again, so an interrupted sweep goes on.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion sweep \"a red circle\" --vary \"remove block.{0..3}\" -o sweep/",
            "  jdiffusion sweep \"a red circle\" --vary cfg-scale=1,3,5 \\",
            "      --vary steps=4,8 -o grid/",
            "  jdiffusion sweep prompts.txt --vary \"scale {0,2} block.*.context\" \\",
            "      --seeds 1,2 -o both/"})
final class SweepCommand implements Callable<Integer> {
    @Parameters(paramLabel = "PROMPT", description = "What to draw, or a .txt file with a prompt a line.")
    private String prompt;

    @Option(names = "--vary", paramLabel = "WHAT", required = true,
            description = "option=VALUE,VALUE,... or an intervention of 'patch' with {0..23} or {a,b} in it. May be"
                + " repeated.")
    private List<String> vary;

    @Option(names = "--seeds", paramLabel = "N,N,...", description = "Default: that of --seed.")
    private String seeds;

    @Option(names = {"-o", "--output"}, paramLabel = "DIR", description = "Folder for all. Default: sweep.")
    private Path output = Path.of("sweep");

    @Mixin
    private DrawingOptions drawing;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        List<SweepAxis> axes = vary.stream().map(SweepAxis::of).toList();
        List<String> prompts = prompt.endsWith(".txt") ? Interventions.prompts(Path.of(prompt)) : List.of(prompt);
        List<Long> numbers = new ArrayList<>();
        for (String seed : seeds == null ? new String[0] : seeds.split(",", -1)) {
            numbers.add(Seed.orRandom(seed.strip()));
        }
        drawing.open(prompts.getFirst(), main.err(), plan -> {
            OutputFile.createFolders(output);
            try (Console console = new Console(main.err(), false)) {
                new Sweep(plan.pipeline(), plan.request(), axes, prompts,
                        numbers.isEmpty() ? List.of(plan.request().seed()) : numbers,
                        request -> text(plan.text(), request), output).run(Progress.NONE,
                                console::line);
            }
        });
        return Main.OK;
    }

    /** The settings of one of several prompts. */
    private static String text(PictureText first, GenerationRequest request) {
        LoraRecord loras = first.loras();
        return new PictureText(first.files(), first.model(), first.precision(), first.inputs(),
                new LoraRecord(request.prompt(), loras.options(), loras.hashes(), loras.inversions()),
                first.control(), first.taesd(), first.more(), first.version()).of(request).text();
    }
}
