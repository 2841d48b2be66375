package jdiffusion.cli;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import jdiffusion.kernels.Backend;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.device.Devices;
import jdiffusion.model.family.EmbeddedGuidance;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.PictureText;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A model, a device and the settings of pictures, for commands that draw in the midst of something else. */
final class DrawingOptions {
    private static final int MOST_PICTURES = 1000;

    @Mixin
    ModelOptions model;

    @Mixin
    GenerateOptions options;

    @Option(names = {"-b", "--batch-count"}, paramLabel = "N",
            description = "Pictures to draw, with seeds counting up. Default: 1.")
    int batchCount = 1;

    @Mixin
    QuantizeOptions quantizing;

    @Mixin
    AdapterOptions adapters;

    @Mixin
    DeviceOptions deviceOptions;

    @Mixin
    MemoryOptions memoryOptions;

    /** What was decided before the first computation. */
    record Drawing(Pipeline pipeline, GenerationRequest request, PictureText text) {
    }

    /** Draws, or not. */
    @FunctionalInterface
    interface Work {
        void with(Drawing drawing);
    }

    /** Opens the device and the model, and does something with them; both are closed afterwards. */
    void open(String prompt, PrintStream err, Work work) {
        List<String> notes = new ArrayList<>();
        check(prompt);
        try (Devices.Opened opened = Devices.open(deviceOptions.choice(), options.precision, notes::add);
                DeviceAccount _ = deviceOptions.account(opened, "jdiffusion", err)) {
            Drawing drawing = plan(opened.backend(), notes::add);
            try (Pipeline fitted = memoryOptions.wish().fit(drawing.pipeline, null, drawing.request,
                    opened.backend(), notes::add)) {
                notes.forEach(note -> err.println("note: " + note));
                work.with(new Drawing(fitted, drawing.request, drawing.text));
            }
        }
    }

    /** The same where nothing is computed, and no device needed. */
    Drawing counting(String prompt, Consumer<String> notes) {
        check(prompt);
        Drawing drawing = plan(Devices.counting(deviceOptions.choice(), options.precision), notes);
        Pipeline pipeline = drawing.pipeline;
        return new Drawing(pipeline.withPolicy(memoryOptions.wish().policy(pipeline.latents().factor())),
                drawing.request, drawing.text);
    }

    private void check(String prompt) {
        options.prompt = prompt;
        options.check();
        model.checkNotLeftOut(options.leftOut());
        if (options.hires.hires != null) {
            throw new InputException("--hires " + InputException.shown(options.hires.hires) + ": an experiment is on"
                    + " one pass; leave the option out, or start from the first pass's picture with -i and --strength");
        }
        if (batchCount < 1 || batchCount > MOST_PICTURES) {
            throw new InputException("--batch-count is " + batchCount + "; use 1 to " + MOST_PICTURES);
        }
    }

    private Drawing plan(Backend backend, Consumer<String> notes) {
        InputPictures inputs = options.inputs(notes);
        TaesdInput taesd = options.taesd();
        GenerateOptions.checkUsed(taesd, false);
        List<Lora> loras = adapters.loras(options.prompt, options.negativePrompt);
        ControlInput control = ControlInput.of(adapters.embedded(quantizing.apply(
                options.sampling.of(model.open(options.leftOut())))), loras, adapters.control());
        control.files().notes().forEach(notes);
        Pipeline pipeline = taesd.addTo(Pipeline.open(control.files(), backend));
        ImageSize sizes = pipeline.sizes(options.unsized(pipeline.request("")));
        options.chooseSize(inputs.init(), sizes.multiple(), notes);
        String words = AdapterOptions.withoutTags(options.prompt);
        GenerationRequest defaults = pipeline.request(words);
        options.roundSize(defaults, sizes, notes);
        GenerationRequest plain = options.applyTo(defaults, pipeline.family()).images(batchCount).build();
        pipeline.checkSize(plain);
        GenerationRequest request = control.addTo(inputs.addTo(plain, options.strength));
        inputs.checkMask(pipeline.drawn(request), pipeline.latents().factor(), notes);
        pipeline.check(request);
        pipeline.notes(request).forEach(notes);
        EmbeddedGuidance usual = defaults.embedded();
        GenerationRequest asked = usual.isThere() ? request : request.toBuilder().embedded(usual).build();
        options.conditioning.note(pipeline.family(), notes);
        LoraRecord record = LoraRecord.of(options.prompt, adapters.given(), loras,
                pipeline.files().embeddings().used(asked.texts()).values());
        Path name = model.path().toAbsolutePath().normalize().getFileName();
        return new Drawing(pipeline, asked, new PictureText(pipeline.files(), name == null ? "model" : name.toString(),
                backend.precision(), inputs, record, control, taesd, Map.of(), Version.line()));
    }
}
