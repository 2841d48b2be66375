package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.device.Devices;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.PictureFormat;
import jdiffusion.model.pipeline.MemoryChoice;
import jdiffusion.model.pipeline.PictureStream;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.stage.Offload;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Redraws the pictures of a camera, a video or a folder as they come. */
@Command(name = "stream", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Redraw the pictures of a camera, a video or a folder as they come.",
        customSynopsis = "jdiffusion stream PROMPT [OPTIONS]",
        description = "Each picture is what 'generate -i' would draw from it with the same settings. The model stays in"
            + " memory, and the text is read once. A picture that comes while another is drawn takes the place of one"
            + " that waits. Unless said otherwise: 2 steps at strength 0.5, of which one runs.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion stream \"an oil painting\" -m sdxl-turbo \\",
            "      --input v4l2:/dev/video0 -o http",
            "  jdiffusion stream \"an oil painting\" -m sdxl-turbo \\",
            "      --input photos/ --once -o painted/",
            "  ffmpeg -i in.mp4 -f image2pipe -c:v mjpeg - | jdiffusion stream \"a comic\" \\",
            "      -m sdxl-turbo --every-frame | ffmpeg -f mjpeg -i - out.mp4"})
final class StreamCommand implements Callable<Integer> {
    private static final int JPEG_QUALITY = 90;

    private static final int USUAL_STEPS = 2;
    private static final double USUAL_STRENGTH = 0.5;
    /** More steps than models for few steps take. */
    private static final int MANY_STEPS = 8;

    @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "What to draw.")
    private String prompt;

    @Option(names = {"-p", "--prompt"}, paramLabel = "TEXT", description = "The same.")
    private String promptOption;

    @Mixin
    private ModelOptions model;

    @Option(names = "--input", paramLabel = "WHERE", defaultValue = FrameSource.PIPE,
            description = "A folder, whose pictures are drawn as they come; a file of pictures one after the other"
                + " (MJPEG, PNG); v4l2:/dev/video0, a camera, by ffmpeg; or -, the standard input. Default: -.")
    private String input;

    @Option(names = {"-o", "--output"}, paramLabel = "WHERE",
            description = "A folder; -, the standard output; or http, http:PORT or http://HOST:PORT, a page to watch."
                + " May be repeated. Default: -.")
    private List<String> output;

    @Option(names = "--every-frame", description = "Draw every picture, however late it gets, instead of the newest.")
    private boolean everyFrame;

    @Option(names = "--once", description = "Draw every picture that is in the folder, and end.")
    private boolean once;

    @Option(names = "--frames", paramLabel = "N", description = "End after so many pictures are drawn.")
    private Long frames;

    @Option(names = "--skip-similar", paramLabel = "LEVELS",
            description = "Do not draw pictures of which no part differs by more than this from the one drawn last, in"
                + " levels of 0 to 255; 0 skips only equal ones, 4 the noise of a camera.")
    private Double similar;

    @Option(names = "--seed-per-frame",
            description = "Count the seed up with each picture that comes: it flickers, and no two look the same.")
    private boolean seedPerFrame;

    @Option(names = "--format", paramLabel = "NAME", description = "jpeg or png. Default: jpeg.")
    private String format;

    @Option(names = "--quality", paramLabel = "N", description = "Of JPEG, 1 to 100. Default: 90.")
    private Integer quality;

    @Option(names = "--report", paramLabel = "SECONDS", defaultValue = "5",
            description = "Say how fast it goes every so often; 0 for only in the end. Default: ${DEFAULT-VALUE}.")
    private double report;

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

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() {
        check();
        model.checkNotLeftOut(options.leftOut());
        TaesdInput taesd = options.taesd();
        PictureFormat written = PictureFormat.of(format == null ? "jpeg" : format, quality, JPEG_QUALITY);
        List<Lora> loras = adapters.loras(options.prompt, options.negativePrompt);
        boolean every = everyFrame || FrameSource.isWhole(input, once);
        FrameQueue queue = new FrameQueue(every, this::note);
        try (FrameSource source = FrameSource.of(input, once);
                PictureSinks sinks = PictureSinks.of(output, input, written, main.out(), this::say);
                Devices.Opened opened = Devices.open(deviceOptions.choice(), options.precision, this::note);
                DeviceAccount _ = deviceOptions.account(opened, "jdiffusion stream", main.err())) {
            ControlInput control = ControlInput.of(adapters.embedded(quantizing.apply(options.sampling.of(
                    model.open(options.leftOut())))), loras, adapters.control());
            control.files().notes().forEach(this::note);
            Pipeline pipeline = taesd.addTo(Pipeline.open(control.files(), opened.backend()));
            GenerationRequest request = request(pipeline, control);
            pipeline.check(request);
            pipeline.notes(request).forEach(this::note);
            options.conditioning.note(pipeline.family(), this::note);
            try (Pipeline fitted = memoryOptions.wish().fit(pipeline, null, request, opened.backend(), this::note);
                    PictureStream stream = open(fitted, request)) {
                say("model: " + model.path() + ", " + pipeline.variant().label() + "; " + settings(stream, taesd)
                        + "; " + opened.backend().describe());
                say("memory that stays: " + MemoryChoice.gibi(stream.bytes()) + ", and the mapped files");
                new StreamLoop(stream, sinks, written, queue, similar, seedPerFrame, frames).run(source, report,
                        this::say);
            }
        }
        return Main.OK;
    }

    private void check() {
        if (prompt != null && promptOption != null) {
            throw new ParameterException(spec.commandLine(), "the prompt is given twice, once with --prompt");
        }
        options.prompt = prompt == null ? promptOption : prompt;
        options.check();
        if (options.prompt == null) {
            throw new ParameterException(spec.commandLine(), "the prompt is missing: stream \"what to draw\"");
        }
        if (options.hires.hires != null) {
            throw new InputException("a stream draws each frame in one pass; leave --hires out, or give a larger size");
        }
        if (options.initImg != null) {
            throw new InputException("-i gives one picture to start from; a stream's come from --input, such as"
                    + " --input " + InputException.shown(options.initImg.toString()));
        }
        if (frames != null && frames < 1) {
            throw new InputException("--frames is " + frames + "; use 1 or more");
        }
        if (similar != null && !(similar >= 0 && similar <= 255)) {
            throw new InputException("--skip-similar is " + similar + "; use 0 to 255");
        }
        if (!(report >= 0)) {
            throw new InputException("--report is " + report + "; use seconds, or 0 for none");
        }
        if (memoryOptions.offload != null && Offload.of(memoryOptions.offload) != Offload.NONE) {
            throw new InputException("--offload " + memoryOptions.offload + ": a stream keeps its model on the device;"
                    + " leave the option out");
        }
        if (options.taesd != null && !Boolean.TRUE.equals(options.taesdOnly)
                && !Boolean.TRUE.equals(options.taesdEncoder)) {
            throw new InputException("--taesd " + options.taesd + " would not be used; add --taesd-only to have"
                    + " pictures decoded by it, --taesd-encoder to have frames encoded by it");
        }
    }

    /** With a blank picture in the place of the frames. */
    private GenerationRequest request(Pipeline pipeline, ControlInput control) {
        GenerationRequest usual = pipeline.request(AdapterOptions.withoutTags(options.prompt));
        options.roundSize(usual, pipeline.sizes(options.unsized(usual)), this::note);
        GenerationRequest.Builder builder = options.applyTo(usual, pipeline.family());
        boolean few = options.sampling.steps == null && options.sampling.sigmas == null;
        if (few) {
            builder.steps(USUAL_STEPS);
        }
        GenerationRequest sized = builder.build();
        // Else a wrong size, which is told better than a picture of it could be.
        pipeline.checkSize(sized);
        Picture blank = new Picture(sized.width(), sized.height(), new byte[3 * sized.width() * sized.height()]);
        Picture mask = options.mask == null ? null
                : PictureFile.readMask(options.mask, this::note).resized(sized.width(), sized.height());
        InpaintSettings inpaint = options.masking.settings(false, mask != null);
        if (inpaint.onlyMasked()) {
            throw new InputException("a stream redraws whole frames; leave --only-masked out");
        }
        GenerationRequest request = control.addTo(inpaint.addTo(sized, blank, mask, false,
                options.strength == null ? USUAL_STRENGTH : options.strength));
        InputPictures.NONE.checkMask(pipeline.drawn(request), pipeline.latents().factor(), this::note);
        Variant variant = pipeline.variant();
        int steps = pipeline.request("").steps();
        if (few && steps > MANY_STEPS) {
            note("the model is made for " + steps + " steps, and " + USUAL_STEPS + " are few for it;"
                    + " give more with --steps, or a model or LoRA for few steps");
        }
        if (variant.guidance() <= 1 && request.guided()) {
            note(variant.label() + " is made to draw without guidance; a cfg scale of " + request.guidance()
                    + " takes twice as long, and hardly looks better");
        }
        return request;
    }

    private PictureStream open(Pipeline fitted, GenerationRequest request) {
        if (fitted.policy().streams(Component.DENOISER)) {
            throw new InputException("the model does not fit into the memory as a whole, and a stream keeps it there;"
                    + " use a smaller one, or weights in 4 bits (--quantize nf4)");
        }
        return PictureStream.open(fitted, request, new Progress() {
            @Override
            public void note(String line) {
                StreamCommand.this.note(line);
            }
        });
    }

    private static String settings(PictureStream stream, TaesdInput taesd) {
        GenerationRequest r = stream.request();
        List<String> parts = new ArrayList<>(List.of(r.width() + "x" + r.height(),
                r.steps() + " steps of " + r.sampler().kind().label() + " at strength " + r.strength() + ", of which "
                        + stream.evaluations() + (stream.evaluations() == 1 ? " runs" : " run"),
                "cfg scale " + r.guidance(), "seed " + Seed.text(r.seed())));
        return String.join(", ", parts) + taesd.inWords();
    }

    private void note(String line) {
        main.err().println("note: " + Console.oneLine(line));
    }

    private void say(String line) {
        main.err().println(Console.oneLine(line));
    }
}
