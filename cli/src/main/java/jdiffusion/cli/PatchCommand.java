package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import jdiffusion.model.experiment.Interventions;
import jdiffusion.model.experiment.PictureError;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Run;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.sites.Intervene;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Draws a picture while tensors of the run are changed. */
@Command(name = "patch", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Draw while tensors of the run are changed.",
        customSynopsis = "jdiffusion patch PROMPT --do \"VERB SITE\" [OPTIONS]",
        description = {"Writes the picture, the plain one (NAME.plain.png) and their difference (NAME.diff.png),"
            + " brightened.%nVerbs: keep SITE; zero SITE; scale F SITE; noise S SITE [seed=N]; add SITE"
            + " from=FILE:TENSOR [by=F]; project SITE from=FILE:TENSOR; replace SITE from=FILE; mean SITE"
            + " prompts=FILE; swap SITE prompt=\"...\"; remove BLOCK; repeat N BLOCK.%nWhere: steps=0-10"
            + " branch=cond,uncond,skip,pag,seg images=0 heads=0,3 tokens=0,5-9 word=cat encoder=clip-l area=x,y,w,h."},
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion patch \"a red circle\" --do \"zero block.2.context\"",
            "  jdiffusion patch \"a red circle\" \\",
            "      --do \"scale 2 block.*.context branch=cond steps=0-5\"",
            "  jdiffusion patch \"a red circle\" --do \"remove block.3\" \\",
            "      --do \"noise 0.1 latents steps=0 seed=7\"",
            "  jdiffusion patch \"a red circle\" \\",
            "      --do \"swap embedded.context prompt='a blue square'\"",
            "  jdiffusion patch \"a red circle\" --from interventions.yaml -o patched.png"})
final class PatchCommand implements Callable<Integer> {
    private static final String PNG = ".png";

    @Parameters(paramLabel = "PROMPT", description = "What to draw.")
    private String prompt;

    @Option(names = "--do", paramLabel = "\"VERB SITE\"",
            description = "An intervention. May be repeated; at one site they act in this order.")
    private List<String> lines = List.of();

    @Option(names = "--from", paramLabel = "FILE",
            description = "A YAML list of them, each a line or a map with do, at, by and the other keys; they come"
                + " before those of --do.")
    private Path from;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", description = "FILE.png. Default: patched.png.")
    private Path output = Path.of("patched.png");

    @Mixin
    private DrawingOptions drawing;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        List<Intervene> interventions = new ArrayList<>();
        if (from != null) {
            interventions.addAll(Interventions.read(from));
        }
        lines.forEach(line -> interventions.add(Interventions.of(line)));
        if (interventions.isEmpty()) {
            throw new InputException("nothing is to be done; give --do \"VERB SITE\" or --from FILE");
        }
        if (!output.toString().toLowerCase(Locale.ROOT).endsWith(PNG)) {
            throw new InputException(output + ": give a name that ends in " + PNG);
        }
        drawing.open(prompt, main.err(), plan -> {
            GenerationRequest request = plan.request();
            List<Path> inputs = from == null ? List.of() : List.of(from);
            try (OutputFiles patched = OutputFiles.plan(output, request.images(), request.seed(), false, inputs);
                    OutputFiles plain = OutputFiles.plan(named("plain"), request.images(), request.seed(), false,
                            inputs);
                    OutputFiles difference = OutputFiles.plan(named("diff"), request.images(), request.seed(), false,
                            inputs);
                    Console console = new Console(main.err(), false)) {
                Run changed = plan.pipeline().generate(request, interventions, console);
                console.line("the plain picture:");
                Run usual = plan.pipeline().generate(request, List.of(), console);
                for (int i = 0; i < request.images(); i++) {
                    GenerationRequest one = request.toBuilder().images(1).seed(request.seed() + i).build();
                    String text = plan.text().of(one).text();
                    Picture a = changed.pictures().get(i);
                    Picture b = usual.pictures().get(i);
                    patched.write(patched.file(i), Png.encode(a, Interventions.texts(described(), text)));
                    plain.write(plain.file(i), Png.encode(b, Map.of(Infotext.KEYWORD, text)));
                    difference.write(difference.file(i), Png.encode(PictureError.difference(a, b), Map.of()));
                    PictureError error = PictureError.of(b, a);
                    console.line(String.format(Locale.ROOT, "wrote %s, %s, %s: %s", patched.file(i), plain.file(i),
                            difference.file(i), error.different() == 0 ? "the same picture" : String.format(Locale.ROOT,
                                    "%d of %d pixels differ, PSNR %.2f dB, SSIM %.4f, latent cosine %.4f",
                                    error.different(), a.width() * a.height(), error.psnr(), error.ssim(),
                                    PictureError.cosine(changed.latents(), usual.latents()))));
                }
            }
        });
        return Main.OK;
    }

    private Path named(String part) {
        String name = output.getFileName().toString();
        return output.resolveSibling(name.substring(0, name.length() - PNG.length()) + "." + part + PNG);
    }

    /** All interventions in their order, those of the file too. */
    private String described() {
        List<String> all = new ArrayList<>(from == null ? List.of() : Interventions.lines(from));
        all.addAll(lines);
        return String.join("\n", all);
    }
}
