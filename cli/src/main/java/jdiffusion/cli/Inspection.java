package jdiffusion.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.mmdit.Mmdit;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.pipeline.GenerationRequest;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.sampling.SchedulerConfig;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.Checkpoint;

/**
 * What a model, a component or a weights file holds, and whether it would load; found out by the loaders themselves.
 *
 * @param family the kind of model; empty for anything but a whole model that loads
 * @param facts  what else there is to say, by name
 */
record Inspection(Path path, String family, List<Part> parts, Map<String, String> facts) {
    private static final String WEIGHTS = ".safetensors";
    private static final String OK = "ok";

    /**
     * One network, tokenizer or configuration.
     *
     * @param status "ok", or in one line why it would not load
     * @param types  elements by type; empty where there are no tensors
     */
    record Part(String name, String status, long parameters, long bytes, Map<DType, Long> types,
                List<TensorLine> tensors) {
        boolean ok() {
            return status.equals(OK);
        }
    }

    /** A tensor by name, as the file has it. */
    record TensorLine(String name, DType type, String shape) {
    }

    boolean ok() {
        return parts.stream().allMatch(Part::ok);
    }

    long parameters() {
        return parts.stream().mapToLong(Part::parameters).sum();
    }

    long bytes() {
        return parts.stream().mapToLong(Part::bytes).sum();
    }

    /** A folder with a model or a component, a safetensors file, or the index of one in shards. */
    static Inspection of(Path path) {
        if (!Files.exists(path)) {
            throw new InputException(path + ": there is no such file or folder");
        }
        if (!Files.isDirectory(path)) {
            return file(path);
        }
        if (Files.exists(path.resolve("model_index.json"))) {
            return model(path);
        }
        for (String base : List.of("model", "diffusion_pytorch_model")) {
            if (holds(path, base)) {
                return new Inspection(path, "", List.of(component(path.getFileName().toString(), () ->
                        ConfigFile.read(path.resolve("config.json")), () -> Checkpoint.open(path, base))), Map.of());
            }
        }
        throw new InputException(path + ": neither a model (model_index.json) nor a component (config.json with "
                + WEIGHTS + " files) is in this folder");
    }

    private static boolean holds(Path folder, String base) {
        String[] names = folder.toFile().list((_, name) -> name.startsWith(base + ".") && name.contains(WEIGHTS));
        return names != null && names.length > 0;
    }

    private static Inspection file(Path path) {
        String name = path.getFileName().toString();
        if (!name.endsWith(WEIGHTS) && !name.endsWith(".json")) {
            throw new InputException(path + ": neither a " + WEIGHTS + " file, its index, a folder, nor a PNG picture");
        }
        Path config = path.resolveSibling("config.json");
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            String status = Files.exists(config) ? status(() -> load(checkpoint, ConfigFile.read(config))) : OK;
            Map<String, String> facts = Files.exists(config) ? Map.of()
                    : Map.of("note", "no config.json is beside the file, so only its tensors were read");
            return new Inspection(path, "", List.of(part(name, status, checkpoint)), facts);
        }
    }

    private static Inspection model(Path path) {
        ModelFiles files = DiffusersFolder.open(path);
        List<Part> parts = new ArrayList<>();
        for (Component component : Component.values()) {
            if (files.has(component)) {
                Path folder = path.resolve(component.folder());
                parts.add(component(component.folder(), () -> ConfigFile.read(folder.resolve("config.json")),
                        () -> Checkpoint.open(folder, component.weights())));
                if (component.tokenizerFolder() != null) {
                    parts.add(plain(component.tokenizerFolder(), () -> files.tokenizer(component)));
                }
            } else {
                parts.add(new Part(component.folder(), component == Component.T5
                        ? OK : "missing: the index names none", 0, 0, Map.of(), List.of()));
            }
        }
        parts.add(plain("scheduler", files::scheduler));
        Map<String, String> facts = new LinkedHashMap<>();
        if (!files.has(Component.T5)) {
            facts.put("note", "the model has no T5");
        }
        String family = "";
        try (Backend backend = new CpuBackend(1, Precision.F32)) {
            Pipeline pipeline = Pipeline.open(path, backend);
            family = pipeline.family().label();
            describe(pipeline, facts);
        } catch (InputException e) {
            parts.add(new Part("model", e.getMessage(), 0, 0, Map.of(), List.of()));
        }
        return new Inspection(path, family, parts, facts);
    }

    private static void describe(Pipeline pipeline, Map<String, String> facts) {
        MmditConfig config = pipeline.denoiserConfig();
        SchedulerConfig scheduler = pipeline.files().scheduler();
        GenerationRequest defaults = pipeline.request("");
        facts.put("denoiser", config.depth() + " blocks of width " + config.hidden() + ", " + config.heads()
                + " heads of " + config.headDim() + (config.dualBlocks().isEmpty() ? ""
                : ", second attention in blocks " + config.dualBlocks()) + (config.qkNorm() ? ", QK norm" : ""));
        facts.put("scheduler", scheduler.schedule().label() + ", shift "
                + (scheduler.useDynamicShifting() ? "dynamic" : scheduler.shift()) + ", "
                + scheduler.numTrainTimesteps() + " training timesteps");
        facts.put("defaults", defaults.width() + "x" + defaults.height() + ", " + defaults.steps() + " steps of "
                + defaults.sampler().label() + ", cfg scale " + defaults.guidance() + ", T5 "
                + (defaults.t5() ? defaults.t5Length() + " tokens" : "off"));
        int patch = config.patch() * pipeline.vaeConfig().factor();
        int largest = config.positions() * patch;
        facts.put("sizes", patch + "x" + patch + " to " + largest + "x" + largest + " pixels, in multiples of "
                + patch);
    }

    private static Part component(String name, Supplier<ConfigFile> config, Supplier<Checkpoint> open) {
        try (Checkpoint checkpoint = open.get()) {
            return part(name, status(() -> load(checkpoint, config.get())), checkpoint);
        } catch (InputException e) {
            return new Part(name, e.getMessage(), 0, 0, Map.of(), List.of());
        }
    }

    private static Part plain(String name, Supplier<?> load) {
        return new Part(name, status(load), 0, 0, Map.of(), List.of());
    }

    private static String status(Supplier<?> load) {
        try {
            load.get();
            return OK;
        } catch (InputException e) {
            return e.getMessage();
        }
    }

    /** Builds the network that the tensors' names speak of; nothing is computed. */
    private static Object load(TensorSource tensors, ConfigFile config) {
        Weights weights = Weights.of(tensors, Placement.onHost());
        if (tensors.find("pos_embed.proj.weight") != null) {
            return Mmdit.load(weights, config);
        }
        if (tensors.find("decoder.conv_in.weight") != null) {
            return Vae.load(weights, config);
        }
        if (tensors.names().stream().anyMatch(name -> name.startsWith("text_model."))) {
            return ClipTextEncoder.load(weights, config);
        }
        if (tensors.names().stream().anyMatch(name -> name.startsWith("encoder.block."))) {
            return T5Encoder.load(weights, config);
        }
        throw new InputException(tensors.origin() + ": the tensors are of no network that is known here (CLIP, T5,"
                + " MMDiT, VAE)");
    }

    private static Part part(String name, String status, TensorSource source) {
        long parameters = 0;
        Map<DType, Long> types = new TreeMap<>();
        List<TensorLine> lines = new ArrayList<>();
        for (String tensorName : source.names()) {
            Tensor tensor = source.find(tensorName);
            parameters += tensor.shape().size();
            types.merge(tensor.type(), tensor.shape().size(), Long::sum);
            lines.add(new TensorLine(InputException.shown(tensorName), tensor.type(), tensor.shape().toString()));
        }
        return new Part(name, status, parameters, source.byteSize(), types, lines);
    }

    /** A type's name as options and papers write it: f32, bf16. */
    static String label(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }
}
