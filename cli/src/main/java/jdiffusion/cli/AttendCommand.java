package jdiffusion.cli;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.model.Branch;
import jdiffusion.model.experiment.AttentionMaps;
import jdiffusion.model.experiment.AttentionPage;
import jdiffusion.model.experiment.Interventions;
import jdiffusion.model.experiment.Numbers;
import jdiffusion.model.experiment.RunAccount;
import jdiffusion.model.experiment.TensorFile;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Run;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.sites.Attend;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Place;
import jdiffusion.model.sites.Recording;
import jdiffusion.model.sites.Sites;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows what the picture attends to. */
@Command(name = "attend", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Show what the picture attends to: words of the prompt, or the keys with most attention.",
        customSynopsis = "jdiffusion attend PROMPT --word WORD [OPTIONS]",
        description = "Draws as 'generate' does, the same bytes, and keeps what share of each place's attention goes to"
            + " the chosen words, without a matrix of tokens by tokens. The folder gets picture.png, a heat map over it"
            + " for each word, attention.npz, run.json, and index.html with every block, head and step.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion attend \"a red circle on a blue background\" \\",
            "      --word circle --word blue",
            "  jdiffusion attend \"a red circle\" --word circle --blocks 1-2 --at-steps 0,5,10",
            "  jdiffusion attend \"a red circle\" --keys=10 -o sinks"})
final class AttendCommand implements Callable<Integer> {
    @Parameters(paramLabel = "PROMPT", description = "What to draw.")
    private String prompt;

    @Option(names = "--word", paramLabel = "WORD",
            description = "A word of the prompt, or several in a row: the sum over its tokens in every text encoder's"
                + " rows. May be repeated.")
    private List<String> words = List.of();

    @Option(names = "--tokens", paramLabel = "N,N-N,...",
            description = "Rows of the text, from 0, each by itself: the 77 of CLIP, then those of T5.")
    private String tokens;

    @Option(names = "--keys", paramLabel = "N", arity = "0..1", fallbackValue = "5",
            description = "Also the attention that every key receives, the entropy of every query's, and the N keys"
                + " with most (default: 5). A second pass over all scores; what it took is printed.")
    private Integer keys;

    @Option(names = "--blocks", paramLabel = "N-N,NAME,...", defaultValue = "**",
            description = "Numbers of blocks, or names such as single.3, block.2.cross. Default: all.")
    private String blocks;

    @Option(names = "--heads", paramLabel = "N,N-N,...", description = "Heads to average over. Default: all.")
    private String heads;

    @Option(names = "--at-steps", paramLabel = "N,N-N,...",
            description = "Evaluations of the denoiser, from 0. Default: all.")
    private String steps;

    @Option(names = "--at-branch", paramLabel = "NAME,...",
            description = "cond, uncond, skip, pag, seg. Default: cond.")
    private String branch;

    @Option(names = {"-o", "--output"}, paramLabel = "DIR", description = "Folder for all. Default: attention.")
    private Path output = Path.of("attention");

    @Mixin
    private DrawingOptions drawing;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        if (keys != null && keys < 1) {
            throw new InputException("--keys=" + keys + ": give how many keys are named, 1 or more");
        }
        Place place = Intervene.at(blocks).branches(branch == null ? Set.of(Branch.COND)
                : Interventions.branches(branch));
        place = steps == null ? place : place.steps(Numbers.of(steps, "--at-steps"));
        place = heads == null ? place : place.heads(Numbers.of(heads, "--heads"));
        Attend attend = new Attend(place, words.stream().distinct().toList(),
                tokens == null ? List.of() : Numbers.of(tokens, "--tokens").stream().distinct().toList(),
                keys == null ? 0 : keys);
        Path arrays = output.resolve("attention.npz");
        for (Path file : List.of(arrays, output.resolve("run.json"), output.resolve("index.html"))) {
            if (Files.exists(output)) {
                OutputFile.checkFile(file);
            }
        }
        drawing.open(prompt, main.err(), plan -> {
            Pipeline pipeline = plan.pipeline();
            GenerationRequest request = plan.request().toBuilder().images(1).build();
            Sites sites = pipeline.experiments().sites(request);
            try (Console console = new Console(main.err(), false)) {
                pipeline.experiments().check(request, List.of(attend));
                OutputFile.createFolders(output);
                Run run = pipeline.generate(request, List.of(attend), console);
                Picture picture = run.pictures().getFirst();
                AttentionMaps maps = AttentionMaps.of(sites, run);
                write(output.resolve("picture.png"), Png.encode(picture, Map.of(Infotext.KEYWORD,
                        plan.text().of(request).text())));
                for (String label : maps.labels()) {
                    write(output.resolve(fileName(label) + ".png"), Png.encode(maps.overlay(label, picture),
                            Map.of("attention", label)));
                }
                TensorFile.write(arrays, run.recording().tensors());
                RunAccount.of(pipeline, request, plan.text(), drawing.model.path(), options(), List.of())
                        .write(output.resolve("run.json"), arrays, run);
                write(output.resolve("index.html"), AttentionPage.of(maps, picture).getBytes(StandardCharsets.UTF_8));
                console.line(String.format(Locale.ROOT, "wrote %s: %d attentions at %d steps; they took %.2f s, and"
                        + " besides %s; %.2f GFLOP were computed a second time", output, maps.blocks().size(),
                        maps.moments().size(), seconds(run.recording().attending()), besides(run.recording()),
                        run.recording().secondFlops() / 1e9));
            }
        });
        return Main.OK;
    }

    /** What was chosen, by the options' names. */
    private Map<String, List<String>> options() {
        Map<String, List<String>> options = new LinkedHashMap<>();
        options.put("word", words);
        options.put("tokens", given(tokens));
        options.put("keys", given(keys == null ? null : keys.toString()));
        options.put("blocks", List.of(blocks));
        options.put("heads", given(heads));
        options.put("at-steps", given(steps));
        options.put("at-branch", given(branch));
        return options;
    }

    private static List<String> given(String valueOrNull) {
        return valueOrNull == null ? List.of() : List.of(valueOrNull);
    }

    /** What was looked at, and its time. */
    private String besides(Recording recording) {
        List<String> parts = new ArrayList<>();
        if (!words.isEmpty() || tokens != null) {
            parts.add(String.format(Locale.ROOT, "words and tokens %.2f s", seconds(recording.lookingAtWords())));
        }
        if (keys != null) {
            parts.add(String.format(Locale.ROOT, "--keys %.2f s", seconds(recording.lookingAtKeys())));
        }
        return String.join(", ", parts);
    }

    private static double seconds(Duration duration) {
        return duration.toNanos() / 1e9;
    }

    /** A word may have any characters. */
    private static String fileName(String label) {
        return label.replaceAll("[^\\p{L}\\p{N}._-]", "_");
    }

    private static void write(Path file, byte[] bytes) {
        OutputFile.write(file, channel -> OutputFile.put(channel, ByteBuffer.wrap(bytes)));
    }
}
