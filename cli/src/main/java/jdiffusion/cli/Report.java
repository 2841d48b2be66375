package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import jdiffusion.emulator.ProfileReport;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.profile.ProfileSummary;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;

/** The account of a run that {@code --json} prints: one object with request, timings, memory and files. */
final class Report implements Progress {
    private final ObjectNode root = JsonNodeFactory.instance.objectNode();
    private final ArrayNode timings;
    private final ArrayNode notes;
    private final ArrayNode files;
    private long peak;

    Report(Path model, String family, String device, GenerationRequest r, Precision precision) {
        root.put("version", Version.line());
        root.putObject("model").put("path", model.toString()).put("family", family);
        root.put("device", device);
        ObjectNode request = root.putObject("request")
                .put("prompt", r.prompt()).put("negative_prompt", r.negativePrompt())
                .put("width", r.width()).put("height", r.height())
                .put("steps", r.steps()).put("cfg_scale", r.guidance())
                .put("guidance_rescale", r.guidanceRescale())
                .put("seed", Seed.number(r.seed())).put("batch_count", r.images())
                .put("sampling_method", r.sampler().kind().label())
                .put("eta", r.sampler().eta())
                .put("scheduler", r.schedule() == null ? null : r.schedule().label());
        ArrayNode sigmas = request.putArray("sigmas");
        r.sigmas().forEach(sigmas::add);
        if (Float.isNaN(r.shift())) {
            request.putNull("flow_shift");
        } else {
            request.put("flow_shift", r.shift());
        }
        request.put("t5", r.t5()).put("t5_length", r.t5Length());
        ArrayNode skipped = request.putArray("skip_layers");
        r.skipLayers().layers().forEach(skipped::add);
        request.put("slg_scale", r.skipLayers().scale()).put("skip_layer_start", r.skipLayers().start())
                .put("skip_layer_end", r.skipLayers().stop());
        request.put("guiders", r.methods().guiders().text());
        request.put("cache", r.methods().cache() == null ? null : r.methods().cache().text());
        request.put("init_img", r.init() != null).put("mask", r.mask() != null);
        if (r.init() != null) {
            request.put("strength", r.strength());
        }
        if (r.mask() != null) {
            request.put("mask_soft", r.inpainting().soft()).put("mask_fill", r.inpainting().fill().label());
        }
        if (r.hires() != null) {
            request.putObject("hires").put("width", r.hires().width()).put("height", r.hires().height())
                    .put("strength", r.hires().strength()).put("steps", r.hires().steps())
                    .put("upscaler", r.hires().upscaler().label());
        }
        if (r.control() != null) {
            request.putObject("control").put("kind", r.control().kind().label())
                    .put("strength", r.control().strength()).put("start", r.control().start())
                    .put("end", r.control().stop());
        }
        request.put("precision", precision.label());
        this.timings = root.putArray("timings");
        this.notes = root.putArray("notes");
        this.files = root.putArray("files");
    }

    /** Names and hashes of what was added to the model. */
    void hashes(String kind, Map<String, String> byName) {
        ObjectNode node = ((ObjectNode) root.get("request")).putObject(kind);
        byName.forEach(node::put);
    }

    @Override
    public void finished(Stage stage, Duration time, long bytes) {
        timings.addObject().put("stage", Console.name(stage)).put("seconds", time.toNanos() / 1e9)
                .put("peak_bytes", bytes);
        peak = Math.max(peak, bytes);
    }

    @Override
    public void note(String line) {
        notes.add(line);
    }

    /** Prints the profile of a run that failed, which is when it may be wanted most, and why; nothing without one. */
    static void printFailure(PrintStream out, RuntimeException failure, ProfileReport profile) {
        if (profile != null) {
            ObjectMapper mapper = new ObjectMapper();
            ObjectNode root = mapper.createObjectNode().put("version", Version.line())
                    .put("error", failure.getMessage());
            root.set("kernels", mapper.valueToTree(profile.kernels()));
            out.println(root);
            out.flush();
        }
    }

    /** What each kernel of the emulated device did; null for nothing. */
    void profile(ProfileReport profile) {
        if (profile != null) {
            root.set("kernels", new ObjectMapper().valueToTree(profile.kernels()));
        }
    }

    /** How long each operation took; null for nothing. */
    void profile(ProfileSummary profile) {
        if (profile != null) {
            root.set("profile", new ObjectMapper().valueToTree(profile));
        }
    }

    /** What a step cache did to a picture. */
    void cache(ObjectNode report) {
        root.withArrayProperty("cache_reports").add(report);
    }

    void file(Path path, long seed) {
        files.addObject().put("path", path.toString()).put("seed", Seed.number(seed));
    }

    /** Prints the object on one line. */
    void print(PrintStream out, Duration all) {
        root.put("seconds", all.toNanos() / 1e9).put("peak_bytes", peak);
        out.println(root);
        out.flush();
    }
}
