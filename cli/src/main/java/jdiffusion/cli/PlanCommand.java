package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.device.Devices;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.pipeline.MemoryChoice;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.StageMemory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Prints the memory that a picture would take. */
@Command(name = "plan", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Show how much memory a picture would take.",
        description = "Goes through all of 'generate' with the same options, but computes nothing and only counts. No"
            + " device is needed for that. The counts are exact, but for page-locked memory, of which a small model"
            + " takes less; what a device's driver keeps for itself and for the kernels, some hundred MiB, and the"
            + " JVM's own memory come on top.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion plan --model DIR -W 1024 -H 1024 --device cuda",
            "  jdiffusion plan --model DIR --device cuda --offload sequential",
            "  jdiffusion plan --model DIR --device cuda --vram 8GiB"})
final class PlanCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "Makes no difference.")
    private String prompt;

    @Mixin
    private ModelOptions model;

    @Mixin
    private GenerateOptions options;

    @Mixin
    private QuantizeOptions quantizing;

    @Mixin
    private AdapterOptions adapters;

    @Mixin
    private RefinerOptions refining;

    @Mixin
    private DeviceOptions deviceOptions;

    @Mixin
    private MemoryOptions memoryOptions;

    @Option(names = "--without-text-encoders", description = "Leave the text encoders out of the plan.")
    private boolean withoutText;

    @Option(names = "--json", description = "Print JSON, all sizes in bytes.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        List<String> notes = new ArrayList<>();
        Path folder = model.path();
        options.prompt = prompt == null ? "" : prompt;
        options.check();
        refining.check();
        model.checkNotLeftOut(options.leftOut());
        InputPictures inputs = options.inputs(notes::add);
        TaesdInput taesd = options.taesd();
        List<CountingBackend> devices = Devices.countingEach(deviceOptions.choice(), options.precision);
        CountingBackend backend = devices.getFirst();
        ControlInput control = ControlInput.of(
                adapters.embedded(quantizing.apply(options.sampling.of(model.open(options.leftOut())))),
                adapters.loras(options.prompt, options.negativePrompt), adapters.control());
        Pipeline opened = taesd.addTo(Pipeline.open(control.files(), backend)
                .withSecond(devices.size() > 1 ? devices.getLast() : null));
        ImageSize sizes = opened.sizes(options.unsized(opened.request("")));
        int patch = sizes.multiple();
        options.chooseSize(inputs.init(), patch, notes::add);
        options.roundSize(opened.request(options.prompt), sizes, notes::add);
        GenerationRequest plain = options.applyTo(opened.request(options.prompt), opened.family()).build();
        opened.checkSize(plain);
        GenerationRequest request = options.hires.addTo(control.addTo(inputs.addTo(plain, options.strength)),
                opened.patch(), notes::add);
        RefinedPipeline refined = refining.open(opened, model, adapters, notes::add);
        if (refined != null) {
            refined.check(request);
        } else if (!withoutText) {
            opened.check(request);
        }
        Pipeline pipeline = opened.withPolicy(memoryOptions.wish().policy(opened.latents().factor()));
        if (memoryOptions.hasBudget()) {
            MemoryChoice choice = memoryOptions.wish().choose(pipeline, refined, request);
            pipeline = choice.pipeline();
            notes.add(choice.describe());
        }
        MemoryPlan plan = refined != null ? refined.over(pipeline).plan(request) : pipeline.plan(request, !withoutText);
        if (json) {
            main.out().println(toJson(folder, pipeline, backend, request, plan));
        } else {
            print(main.out(), folder, pipeline, backend, request, plan);
            notes.forEach(main.out()::println);
        }
        return Main.OK;
    }

    private void print(PrintStream out, Path folder, Pipeline pipeline, CountingBackend backend,
                              GenerationRequest request, MemoryPlan plan) {
        GenerationRequest drawn = pipeline.drawn(request.firstPass());
        out.println(Console.oneLine(folder) + ": " + pipeline.variant().label() + ", " + request.width() + "x"
                + request.height()
                + (request.hires() == null ? "" : ", then " + request.hires().width() + "x" + request.hires().height())
                + (drawn.width() == request.width() && drawn.height() == request.height() ? ""
                        : " (drawn at " + drawn.width() + "x" + drawn.height() + ")")
                + ", " + backend.describe()
                + (backend.isDevice() ? ", offload " + pipeline.policy().offload().label()
                : ""));
        int names = plan.stages().stream().mapToInt(stage -> stage.name().length()).max().orElse(0);
        String row = "%-" + Math.max(16, names) + "s %12s %12s %12s %12s %12s%s%n";
        boolean mapped = !backend.isDevice() && quantizing.quantize == null;
        out.printf(row, "stage", mapped ? "mapped files" : "weights", "slots", "temporaries", "other", "peak", "");
        for (StageMemory stage : plan.stages()) {
            out.printf(row, stage.name(), size(stage.weights() + stage.mapped()), size(stage.slots()),
                    size(stage.workspace()), size(stage.others()), size(stage.peak()),
                    stage.tile() > 0 ? "  tiles of " + stage.tile() : "");
        }
        out.println("at most " + MemoryChoice.gibi(plan.peak()) + (backend.isDevice()
                ? " of " + (pipeline.second() == null ? "the" : "each") + " device's memory, and "
                        + MemoryChoice.gibi(pinned(pipeline, backend)) + " of the host's, page-locked, for copies"
                : " beside at most " + MemoryChoice.gibi(plan.mapped())
                        + (mapped ? " of mapped files" : " of weights, mapped or quantised in memory")));
    }

    /** Of all devices. */
    private static long pinned(Pipeline pipeline, CountingBackend backend) {
        return (pipeline.second() == null ? 1 : 2) * backend.pinnedBytes();
    }

    private static String size(long bytes) {
        return bytes == 0 ? "-" : MemoryChoice.gibi(bytes);
    }

    private static ObjectNode toJson(Path folder, Pipeline pipeline, CountingBackend backend,
                                     GenerationRequest request, MemoryPlan plan) {
        ObjectNode root = new ObjectMapper().createObjectNode().put("model", folder.toString())
                .put("family", pipeline.variant().label()).put("width", request.width())
                .put("height", request.height()).put("device", backend.isDevice() ? "cuda" : "cpu")
                .put("precision", backend.precision().label())
                .put("offload", pipeline.policy().offload().label());
        ArrayNode stages = root.putArray("stages");
        for (StageMemory stage : plan.stages()) {
            stages.addObject().put("name", stage.name()).put("mapped", stage.mapped()).put("weights", stage.weights())
                    .put("slots", stage.slots()).put("temporaries", stage.workspace()).put("other", stage.others())
                    .put("peak", stage.peak()).put("tile", stage.tile());
        }
        return root.put("peak", plan.peak()).put("mapped", plan.mapped()).put("pinned", pinned(pipeline, backend));
    }
}
