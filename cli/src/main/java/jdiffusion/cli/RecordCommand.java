package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.model.Branch;
import jdiffusion.model.experiment.Interventions;
import jdiffusion.model.experiment.Numbers;
import jdiffusion.model.experiment.RunAccount;
import jdiffusion.model.experiment.TensorFile;
import jdiffusion.model.pipeline.Run;
import jdiffusion.model.sites.Experiment;
import jdiffusion.model.sites.Place;
import jdiffusion.model.sites.Probe;
import jdiffusion.model.sites.Sites;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes tensors of a run to a file. */
@Command(name = "record", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Write tensors of a run to a file.", customSynopsis = "jdiffusion record PROMPT --at SITE [OPTIONS]",
        description = "Draws as 'generate' does and keeps what the sites hold, float32, under names such as"
            + " step.005/cond/block.12.image. run.json beside the file has the settings, the hashes of the model's"
            + " files and of every tensor. Recording changes no picture.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion record \"a red circle\" --at \"block.*.image\" \\",
            "      --at-steps 0,5,10 -o run.safetensors",
            "  jdiffusion record \"a red circle\" --at block.3.image.attn.q \\",
            "      --at-branch cond -o run.npz"})
final class RecordCommand implements Callable<Integer> {
    @Parameters(paramLabel = "PROMPT", description = "What to draw.")
    private String prompt;

    @Option(names = "--at", paramLabel = "SITE", required = true,
            description = "What to record: a name of 'jdiffusion sites', with * for any part, ** for any parts and 4-8"
                + " for a range; block.12 is all that the block gives. May be repeated.")
    private List<String> at;

    @Option(names = "--at-steps", paramLabel = "N,N-N,...",
            description = "Evaluations of the denoiser, from 0. Default: all.")
    private String steps;

    @Option(names = "--at-branch", paramLabel = "NAME,...", description = "cond, uncond, skip, pag, seg. Default: all.")
    private String branch;

    @Option(names = "--do", paramLabel = "\"VERB SITE\"",
            description = "Record a run that is changed: an intervention as of 'patch'. May be repeated.")
    private List<String> interventions = List.of();

    @Option(names = {"-o", "--output"}, paramLabel = "FILE",
            description = "FILE.safetensors or FILE.npz. Default: run.safetensors.")
    private Path output = Path.of("run.safetensors");

    @Mixin
    private DrawingOptions drawing;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        TensorFile.check(output);
        OutputFile.checkFile(output);
        Path account = output.resolveSibling("run.json");
        OutputFile.checkFile(account);
        List<Integer> wanted = steps == null ? List.of() : Numbers.of(steps, "--at-steps");
        Set<Branch> branches = branch == null ? Set.of() : Interventions.branches(branch);
        List<Experiment> experiments = new ArrayList<>();
        interventions.forEach(line -> experiments.add(Interventions.of(line)));
        drawing.open(prompt, main.err(), plan -> {
            Sites sites = plan.pipeline().experiments().sites(plan.request());
            List<Probe> probes = new ArrayList<>();
            for (String site : at) {
                Place place = Probe.at(site).steps(wanted).branches(branches);
                probes.add(place.save());
            }
            long bytes = probes.stream().mapToLong(sites::bytes).sum();
            if (bytes > Runtime.getRuntime().maxMemory() / 2) {
                throw new InputException("this would record " + (bytes >> 20) + " MiB, of " + (Runtime.getRuntime()
                        .maxMemory() >> 20) + " that Java may use; record fewer sites or steps, or give Java more"
                        + " (JAVA_TOOL_OPTIONS=-Xmx16g)");
            }
            experiments.addAll(probes);
            try (Console console = new Console(main.err(), false)) {
                Run run = plan.pipeline().generate(plan.request(), experiments, console);
                TensorFile.write(output, run.recording().tensors());
                RunAccount.of(plan.pipeline(), plan.request(), plan.text(), drawing.model.path(),
                        options(), interventions)
                        .write(account, output, run);
                console.line("wrote " + output + ": " + run.recording().tensors().size() + " tensors, "
                        + (bytes >> 10) + " KiB; settings and hashes in " + account);
            }
        });
        return Main.OK;
    }

    /** What was chosen, by the options' names. */
    private Map<String, List<String>> options() {
        Map<String, List<String>> options = new LinkedHashMap<>();
        options.put("at", at);
        options.put("at-steps", steps == null ? List.of() : List.of(steps));
        options.put("at-branch", branch == null ? List.of() : List.of(branch));
        return options;
    }
}
