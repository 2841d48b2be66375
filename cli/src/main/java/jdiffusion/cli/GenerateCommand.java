package jdiffusion.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.profile.ProfileSummary;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.device.Devices;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.EmbeddedGuidance;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.SavedSteps;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Previews;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.PictureText;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.request.MethodText;
import jdiffusion.model.settings.Infotext;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.TensorSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Draws pictures: one after the other, so that an interrupted batch keeps those that are finished. */
@Command(name = "generate", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Draw a picture from a prompt.", customSynopsis = "jdiffusion generate PROMPT [OPTIONS]",
        description = "Settings left out come from the checkpoint, then from its family; all are printed.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion generate \"a red circle on a blue background\"",
            "  jdiffusion generate \"a cat\" --model DIR -W 768 -H 512 --steps 28 -o cat.png",
            "  jdiffusion generate \"a cat\" -m sd3.5_large_turbo.safetensors --t5xxl T5.gguf",
            "  jdiffusion generate \"a cat\" -b 4 -s random -o pictures/",
            "  jdiffusion generate \"a dog\" -i cat.png --strength 0.7 -o dog.png",
            "  jdiffusion generate --from cat.png --steps 40 -o better.png"})
final class GenerateCommand implements Callable<Integer> {
    private static final int MOST_PICTURES = 100_000;

    @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "What to draw.")
    private String prompt;

    @Mixin
    private ModelOptions model;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE",
            description = "FILE.png, a name with %%d for the number, or a folder. Default: output.png.")
    private Path output;

    @Mixin
    private GenerateOptions options;

    @Option(names = {"-b", "--batch-count"}, paramLabel = "N",
            description = "Pictures to draw, with seeds counting up. Default: 1.")
    private Integer batchGiven;

    private int batchCount = 1;

    @Option(names = "--from", paramLabel = "FILE",
            description = "Repeat a picture from the settings in its file, other tools' too; options change them.")
    private Path from;

    @Option(names = "--preview", paramLabel = "N",
            description = "Write NAME.preview.png every N evaluations: the latents' rough colours, or what --taesd"
                + " makes of them. The last one stays.")
    private Integer preview;

    @Mixin
    private QuantizeOptions quantizing;

    @Mixin
    private AdapterOptions adapters;

    @Mixin
    private RefinerOptions refining;

    @Mixin
    private BranchOptions branching;

    @Mixin
    private DeviceOptions deviceOptions;

    @Mixin
    private MemoryOptions memoryOptions;

    @Mixin
    private ProfileOptions profiling;

    @Option(names = "--json", description = "Print an account of the run as JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        List<String> notes = new ArrayList<>();
        options.prompt = prompt;
        options.check();
        refining.check();
        model.checkNotLeftOut(options.leftOut());
        PictureSettings source = from == null ? null : PictureSettings.read(from, options, adapters, refining,
                branching, quantizing, memoryOptions, notes::add);
        if (options.prompt == null) {
            throw new ParameterException(spec.commandLine(), "the prompt is missing: generate \"what to draw\"");
        }
        batchCount = batchGiven != null ? batchGiven : options.methods.batch != null ? options.methods.batch : 1;
        checkNumbers();
        branching.check(batchCount, refining);
        TaesdInput taesd = options.taesd();
        GenerateOptions.checkUsed(taesd, preview != null);
        Path folder = model.path();
        String modelName = name(folder);
        if (source != null) {
            source.checkModel(modelName, model.given(), notes::add);
        }
        InputPictures inputs = options.inputs(notes::add);
        if (source != null) {
            source.checkInputs(inputs, notes::add);
            source.checkTaesd(taesd, notes::add);
        }
        List<Lora> loras = adapters.loras(options.prompt, options.negativePrompt);
        try (Devices.Opened opened = Devices.openAll(deviceOptions.choice(), options.precision, notes::add);
                 DeviceAccount _ = deviceOptions.account(opened, "jdiffusion generate", json ? null : main.err())) {
            Backend backend = profiling.wrap(opened);
            ModelFiles files = options.sampling.of(model.open(options.leftOut()));
            ControlInput control = ControlInput.of(adapters.embedded(quantizing.apply(files)), loras,
                    adapters.control());
            control.files().notes().forEach(notes::add);
            Pipeline pipeline = taesd.addTo(Pipeline.open(control.files(), backend).withSecond(opened.second()));
            if (source != null) {
                source.checkControl(control, notes::add);
            }
            ImageSize sizes = pipeline.sizes(options.unsized(pipeline.request("")));
            int patch = sizes.multiple();
            options.chooseSize(inputs.init(), patch, notes::add);
            if (source != null) {
                source.fitSize(options, patch, notes::add);
                source.fitFamily(options, pipeline.family(), notes::add);
            }
            String words = AdapterOptions.withoutTags(options.prompt);
            options.roundSize(pipeline.request(words), sizes, notes::add);
            GenerationRequest request = options.applyTo(pipeline.request(words), pipeline.family())
                    .images(batchCount).build();
            pipeline.checkSize(request);
            LoraRecord record = LoraRecord.of(options.prompt, adapters.given(), loras,
                    pipeline.files().embeddings().used(request.texts()).values());
            if (source != null) {
                source.checkLoras(record, notes::add);
            }
            if (Long.compareUnsigned(request.seed() + batchCount - 1, request.seed()) < 0) {
                throw new InputException("the seeds of " + batchCount + " pictures from " + Seed.text(request.seed())
                        + " on are too large; use a smaller seed");
            }
            request = branching.addTo(options.hires.addTo(control.addTo(inputs.addTo(request, options.strength)),
                    pipeline.patch(), notes::add));
            inputs.checkMask(pipeline.drawn(request), pipeline.latents().factor(), notes::add);
            RefinedPipeline refined = refining.open(pipeline, model, adapters, notes::add);
            if (refined != null) {
                refined.check(request);
            } else {
                pipeline.check(request);
            }
            pipeline.notes(request).forEach(notes::add);
            if (opened.second() != null && !request.guided()) {
                notes.add("without guidance the second device has nothing to do");
            }
            EmbeddedGuidance usual = pipeline.request(words).embedded();
            if (!usual.isThere()) {
                request = request.toBuilder().embedded(usual).build();
            }
            if (options.noT5 && !pipeline.family().components().contains(Component.T5)) {
                notes.add(pipeline.family().label() + " has no T5 that could be left out");
            }
            if (refined == null && options.conditioning.scored()) {
                notes.add("an aesthetic score is read by a refiner alone; give one with --refiner");
            }
            options.conditioning.note(pipeline.family(), notes::add);
            LatentPictures pictures = preview == null ? null : taesd.file() == null ? Previews.of(pipeline)
                    : Previews.of(pipeline, taesd.file());
            List<Path> read = Stream.of(options.initImg, options.mask, from, adapters.controlImage)
                    .filter(Objects::nonNull).toList();
            try (Pipeline fitted = memoryOptions.wish().fit(pipeline, refined, request, opened.backend(), notes::add);
                    RefinedPipeline both = refined == null ? null : refined.over(fitted);
                    OutputFiles written = OutputFiles.plan(output, batchCount, request.seed(), pictures != null,
                            read)) {
                draw(new DrawPlan(fitted, both, opened, modelName, request, inputs, record, control, taesd, written,
                        pictures), folder, notes, start);
            } catch (RuntimeException e) {
                if (json) {
                    Report.printFailure(main.out(), e, opened.profile());
                }
                throw e;
            }
        }
        return Main.OK;
    }

    private void checkNumbers() {
        if (options.methods.cacheReport && batchCount > 1 && options.methods.isOneDraw()) {
            throw new InputException("--cache-report measures one picture after the other, but the " + batchCount
                    + " pictures are one draw; use --batch-seeds consecutive, or -b 1");
        }
        if (batchCount < 1 || batchCount > MOST_PICTURES) {
            throw new InputException("--batch-count is " + batchCount + "; use 1 to " + MOST_PICTURES);
        }
        if (preview != null && preview < 1) {
            throw new InputException("--preview is " + preview + "; give the evaluations between previews, 1 or more");
        }
    }

    private static String name(Path folder) {
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return name == null ? "model" : name.toString();
    }

    private void draw(DrawPlan plan, Path folder, List<String> notes, long start) {
        GenerationRequest request = plan.request();
        String family = plan.pipeline().variant().label();
        Report report = new Report(folder, family, plan.device().describe(), request,
                plan.device().backend().precision());
        report.hashes("loras", plan.loras().hashes());
        report.hashes("embeddings", plan.loras().inversions());
        try (Console console = new Console(main.err(), preview != null)) {
            console.line(String.format(Locale.ROOT, "model: %s, %s, %.1f M parameters", folder, family,
                    parameters(plan.pipeline().files(), request.t5()) / 1e6));
            console.line("device: " + plan.device().describe());
            console.line("settings: " + SettingsLine.of(plan, refining.inWords() + branching.inWords()));
            List<Progress> followers = new ArrayList<>(List.of(console, report, memoryOptions.follower()));
            PreviewFiles previews = plan.pictures() == null ? null : new PreviewFiles(plan.pictures(), preview,
                    plan.pipeline().latents().factor(), plan.files());
            if (previews != null) {
                followers.add(previews);
            }
            SavedSteps.Keeper keeper = branching.keeper();
            if (keeper != null) {
                followers.add(keeper);
            }
            Progress progress = new Followers(followers);
            notes.forEach(progress::note);
            plan.hold();
            List<Conditioning> prompts = plan.pipeline().encode(request, progress);
            List<Conditioning> more = plan.refined() == null ? List.of()
                    : plan.refined().refiner().encode(request, progress);
            boolean together = request.images() > 1 && request.seeds() == GenerationRequest.Seeds.ONE_DRAW;
            float[] batch = together ? denoise(plan, request, prompts, more, progress) : null;
            for (int i = 0; i < request.images(); i++) {
                if (previews != null) {
                    previews.image(i);
                }
                GenerationRequest one = request.toBuilder().images(1).seed(request.seed() + (together ? 0 : i))
                        .build();
                CacheReport cached = !one.methods().cacheReport() ? null : new CacheReport(
                        one.methods().cache(), plan.pipeline().sigmas(one).evaluations()
                                - plan.pipeline().firstEvaluation(one));
                int size = together ? batch.length / request.images() : 0;
                Picture picture = decode(plan, one, together ? Arrays.copyOfRange(batch, i * size, (i + 1) * size)
                        : denoise(plan, one, prompts, more, cached == null ? progress
                                : new Followers(List.of(progress, cached))), progress);
                Infotext text = text(plan).of(one);
                plan.files().write(plan.files().file(i), Png.encode(picture, Map.of(Infotext.KEYWORD,
                        (together ? MethodText.placed(text, i, request.images()) : text).text())));
                branching.write(keeper, plan.pipeline(), one, console::line);
                report.file(plan.files().file(i), one.seed());
                console.line("wrote " + plan.files().file(i) + " (seed " + Seed.text(one.seed()) + ")");
                if (cached != null) {
                    cached.measure((cache, timer) -> {
                        GenerationRequest other = one.toBuilder().methods(one.methods().withCache(cache, false))
                                .build();
                        return decode(plan, other, denoise(plan, other, prompts, more, timer), Progress.NONE);
                    });
                    cached.lines().forEach(console::line);
                    report.cache(cached.json(one.seed()));
                }
            }
            Duration all = Duration.ofNanos(System.nanoTime() - start);
            console.line(String.format(Locale.ROOT, "%d picture%s in %.2f s", request.images(),
                    request.images() == 1 ? "" : "s", all.toNanos() / 1e9));
            ProfileSummary profile = profiling.summary(all);
            profiling.writeTrace(main.err());
            if (json) {
                report.profile(plan.device().profile());
                report.profile(profile);
                report.print(main.out(), all);
            } else if (profile != null) {
                ProfileText.lines(profile).forEach(main.err()::println);
            }
        }
    }

    private PictureText text(DrawPlan plan) {
        Map<String, String> more = new LinkedHashMap<>();
        refining.describe(more);
        branching.describe(more);
        quantizing.describe(more);
        memoryOptions.describe(more);
        return new PictureText(plan.pipeline().files(), plan.modelName(), plan.device().backend().precision(),
                plan.inputs(),
                plan.loras(), plan.control(), plan.taesd(), more, Version.line());
    }

    private static float[] denoise(DrawPlan plan, GenerationRequest request, List<Conditioning> prompts,
                                   List<Conditioning> more, Progress progress) {
        return plan.refined() == null ? plan.pipeline().denoise(request, prompts, progress)
                : plan.refined().denoise(request, prompts, more, progress);
    }

    private static Picture decode(DrawPlan plan, GenerationRequest one, float[] latents, Progress progress) {
        Pipeline last = plan.refined() == null ? plan.pipeline() : plan.refined().refiner();
        return last.decode(one, latents, progress).getFirst();
    }

    /** Elements of all weights that this run uses. */
    private static long parameters(ModelFiles files, boolean t5) {
        long sum = 0;
        for (Component component : files.architecture().components()) {
            if (files.has(component) && (component != Component.T5 || t5)) {
                try (ModelFiles.Open open = files.inspect(component)) {
                    TensorSource tensors = open.tensors();
                    for (String name : tensors.names()) {
                        sum += tensors.shape(name).size();
                    }
                }
            }
        }
        return sum;
    }
}
