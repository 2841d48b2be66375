package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.model.experiment.ContactSheet;
import jdiffusion.model.experiment.Numbers;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.LensView;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Previews;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Draws what the network would give if it ended after each block. */
@Command(name = "lens", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Show what would be drawn if the network ended after each block.",
        description = "The final layer is applied to what every block of a transformer gives. One row a step, one"
            + " column a block; the last column is what the run itself goes on with. The run is not changed.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion lens \"a red circle\" --at-steps 0,5,10 -o lens.png",
            "  jdiffusion lens \"a red circle\" --previews"})
final class LensCommand implements Callable<Integer> {
    @Parameters(paramLabel = "PROMPT", description = "What to draw.")
    private String prompt;

    @Option(names = "--at-steps", paramLabel = "N,N-N,...",
            description = "Evaluations of the denoiser, from 0. Default: all.")
    private String steps;

    @Option(names = "--previews",
            description = "Rough colours of the latents, one pixel for each, in place of the VAE: faster.")
    private boolean previews;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", description = "FILE.png. Default: lens.png.")
    private Path output = Path.of("lens.png");

    @Mixin
    private DrawingOptions drawing;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        if (!output.toString().toLowerCase(Locale.ROOT).endsWith(".png")) {
            throw new InputException(output + ": give a name that ends in .png");
        }
        List<Integer> wanted = steps == null ? List.of() : Numbers.of(steps, "--at-steps");
        drawing.open(prompt, main.err(), plan -> {
            Pipeline pipeline = plan.pipeline();
            GenerationRequest request = plan.request().toBuilder().images(1).build();
            LatentPictures rough = previews ? Previews.of(pipeline) : null;
            try (OutputFiles files = OutputFiles.plan(output, 1, request.seed(), false, List.of());
                    Console console = new Console(main.err(), false)) {
                LensView view = pipeline.experiments().lens(request, wanted, console);
                List<List<Picture>> rows = new ArrayList<>();
                for (List<float[]> estimates : view.estimates().values()) {
                    List<Picture> row = new ArrayList<>();
                    for (float[] latents : estimates) {
                        row.add(rough == null ? pipeline.decode(request, latents, Progress.NONE).getFirst()
                                : rough.picture(latents, request.height() / pipeline.latents().factor(),
                                        request.width() / pipeline.latents().factor()));
                    }
                    rows.add(row);
                }
                String columns = String.join(", ", view.blocks());
                files.write(files.file(0), Png.encode(ContactSheet.of(rows), ContactSheet.texts(view.blocks(),
                        view.estimates().keySet().stream().map(step -> "step " + step).toList())));
                console.line("wrote " + files.file(0) + ": rows are steps "
                        + view.estimates().keySet() + ", columns the blocks " + columns);
            }
        });
        return Main.OK;
    }
}
