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
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.embedding.TextualInversion;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/**
 * What a model, a component or a weights file holds, and whether it would load; found out by the loaders themselves.
 *
 * @param family the kind of model; empty for anything but a whole model that loads
 * @param facts  what else there is to say, by name
 */
record Inspection(Path path, String family, List<Part> parts, Map<String, String> facts) {
    private static final String OK = "ok";

    /**
     * One network, tokenizer or configuration.
     *
     * @param status "ok", or in one line why it would not load
     * @param place  file and names in it; empty where there are no tensors
     * @param types  elements by how they are stored; empty where there are no tensors
     */
    record Part(String name, String status, String place, long parameters, long bytes, Map<String, Long> types,
                List<TensorLine> tensors) {
        static Part without(String name, String status) {
            return new Part(name, status, "", 0, 0, Map.of(), List.of());
        }

        boolean ok() {
            return status.equals(OK);
        }
    }

    /** A tensor by diffusers' name, with how it is stored. */
    record TensorLine(String name, String type, String shape) {
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

    /**
     * @param path    a folder with a model or a component, or a file of weights
     * @param sources what else the user says about it
     */
    static Inspection of(Path path, ModelSources sources) {
        if (!Files.exists(path)) {
            throw new InputException(path + ": there is no such file or folder");
        }
        Inspection inversion = inversion(path);
        if (inversion != null) {
            return inversion;
        }
        ModelFiles parts = Families.models().openParts(path);
        if (parts != null && (Files.isDirectory(path) || !parts.has(Component.DENOISER))) {
            List<Part> found = new ArrayList<>();
            for (Component component : parts.architecture().components()) {
                if (parts.has(component)) {
                    found.add(component(parts, component));
                }
            }
            return new Inspection(path, "", found, notes(parts));
        }
        return model(path, Families.open(path, sources));
    }

    /** Null for anything but a file of a textual inversion. */
    private static Inspection inversion(Path path) {
        if (Files.isDirectory(path) || !path.toString().toLowerCase(Locale.ROOT).endsWith(".safetensors")) {
            return null;
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            if (!TextualInversion.isOne(file.names())) {
                return null;
            }
            Map<String, String> facts = new LinkedHashMap<>();
            String status = status(() -> facts.put("textual inversion",
                    TextualInversion.read("", path).describe() + "; for --embeddings-dir"));
            return new Inspection(path, "", List.of(part("embedding", "", status, file)), facts);
        } catch (InputException e) {
            return null; // whoever reads it next says so
        }
    }

    private static Map<String, String> notes(ModelFiles files) {
        Map<String, String> facts = new LinkedHashMap<>();
        for (String note : files.notes()) {
            facts.put(facts.isEmpty() ? "note" : "note " + (facts.size() + 1), note);
        }
        return facts;
    }

    private static Inspection model(Path path, ModelFiles files) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("layout", files.layout());
        boolean diffusers = Files.isDirectory(path) && files.layout().startsWith("diffusers");
        List<Part> parts = new ArrayList<>();
        for (ComponentFormat format : files.architecture().formats()) {
            Component component = format.component();
            if (files.has(component)) {
                parts.add(component(files, component));
                if (format.tokenizer() != null) {
                    Part tokenizer = plain(format.tokenizer(), () -> files.tokenizer(component));
                    // A file alone is sound without the tokenizers that it cannot hold.
                    if (tokenizer.ok() || diffusers) {
                        parts.add(tokenizer);
                    } else {
                        facts.put(format.tokenizer(), tokenizer.status());
                    }
                }
            } else if (diffusers && files.missing(component) != null) {
                parts.add(Part.without(format.folder(), files.missing(component)));
            } else if (diffusers && files.architecture().drawsWithout(component)) {
                parts.add(Part.without(format.folder(), OK));
            } else if (files.missing(component) != null) {
                facts.put(format.folder(), files.missing(component));
            }
        }
        parts.add(plain("scheduler", files::scheduler));
        facts.putAll(notes(files));
        if (diffusers && files.architecture().components().contains(Component.T5) && !files.has(Component.T5)) {
            facts.put("note", "the model has no T5");
        }
        String family = "";
        if (files.missing(Component.VAE) == null) {
            try (Backend backend = new CpuBackend(1, Precision.F32);
                    Pipeline pipeline = Pipeline.open(files, backend)) {
                family = pipeline.variant().label();
                describe(pipeline, facts);
            } catch (InputException e) {
                if (parts.stream().noneMatch(part -> part.status().equals(e.getMessage()))) {
                    parts.add(Part.without("model", e.getMessage()));
                }
            }
        } else {
            family = family(files);
        }
        return new Inspection(path, family, parts, facts);
    }

    /** Of a denoiser without a VAE, which is no pipeline. */
    private static String family(ModelFiles files) {
        try {
            return files.architecture().model(files);
        } catch (InputException e) {
            return "";
        }
    }

    private static void describe(Pipeline pipeline, Map<String, String> facts) {
        GenerationRequest defaults = pipeline.request("");
        facts.put("denoiser", pipeline.denoiserConfig().describe());
        facts.put("scheduler", pipeline.files().scheduler().describe());
        facts.put("defaults", defaults.width() + "x" + defaults.height() + ", " + defaults.steps() + " steps of "
                + defaults.sampler().kind().label() + ", cfg scale " + defaults.guidance()
                + (!pipeline.family().components().contains(Component.T5) ? ""
                : ", T5 " + (defaults.t5() ? defaults.t5Length() + " tokens" : "off")));
        GenerationRequest drawn = defaults.toBuilder().resolutionBinning(false).build();
        int patch = pipeline.sizes(drawn).multiple();
        int largest = pipeline.sizes(drawn).largest();
        String any = pipeline.sizes(defaults).multiple() == patch ? ""
                : "any, drawn at the nearest of a table; with --no-resolution-binning ";
        String most = pipeline.denoiserConfig().positions() == 0 ? " and more" : " to " + largest + "x" + largest;
        facts.put("sizes", any + patch + "x" + patch + most + " pixels, in multiples of " + patch);
    }

    private static Part component(ModelFiles files, Component component) {
        try (ModelFiles.Open open = files.open(component)) {
            Network network = files.architecture().network(component);
            String status = status(() ->
                    network.load(Weights.of(open.tensors(), Placement.onHost()), open.config()));
            return part(files.architecture().folder(component), files.place(component), status, open.tensors());
        } catch (InputException e) {
            return Part.without(files.architecture().folder(component), e.getMessage());
        }
    }

    private static Part plain(String name, Supplier<?> load) {
        return Part.without(name, status(load));
    }

    private static String status(Supplier<?> load) {
        try {
            load.get();
            return OK;
        } catch (InputException e) {
            return e.getMessage();
        }
    }

    private static Part part(String name, String place, String status, TensorSource source) {
        long parameters = 0;
        Map<String, Long> types = new TreeMap<>();
        List<TensorLine> lines = new ArrayList<>();
        for (String tensor : source.names()) {
            Shape shape = source.shape(tensor);
            String type = label(source, tensor);
            parameters += shape.size();
            types.merge(type, shape.size(), Long::sum);
            lines.add(new TensorLine(InputException.shown(tensor), type, shape.toString()));
        }
        return new Part(name, status, place, parameters, source.byteSize(), types, lines);
    }

    /** How a tensor is stored, as options and papers write it: f32, bf16, nf4, q4_k. */
    private static String label(TensorSource source, String name) {
        Tensor tensor = source.find(name);
        Weight weight = tensor == null ? source.weight(name) : null;
        return tensor != null ? tensor.type().name().toLowerCase(Locale.ROOT)
                : weight == null ? "damaged" : label(weight);
    }

    private static String label(Weight weight) {
        return switch (weight) {
            case Weight.Dense dense -> dense.tensor().type().name().toLowerCase(Locale.ROOT);
            case Weight.Scaled scaled -> scaled.tensor().type().name().toLowerCase(Locale.ROOT) + "_scaled";
            case Weight.Blocks blocks -> blocks.format().name().toLowerCase(Locale.ROOT);
            // The least value of NF4 comes first in its map, that of FP4 does not.
            case FourBitWeight bits -> bits.map().get(0, 0) == -1 ? "nf4" : "fp4";
            case Weight.Rows rows -> label(rows.parts().getFirst());
            case Weight.Adapted adapted -> label(adapted.base());
            case Stretched stretched -> label(stretched.base());
        };
    }
}
