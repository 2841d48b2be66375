package jdiffusion.model.adapter;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.WrappedFiles;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.QuantisedSource;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;

/**
 * A model with LoRAs on top: its matrices come as {@link jdiffusion.tensor.Weight.Adapted}, whatever they are stored
 * in. Files are mapped while a component is open, as the model's own are.
 */
public final class AdaptedFiles extends WrappedFiles {
    private static final int MOST_SHOWN = 8;

    private final List<Lora> loras;
    /** For each component and matrix, what adds to it. */
    private final Map<Component, Map<String, List<Addend>>> plan = new EnumMap<>(Component.class);
    /** For each component and norm, what takes its place: that of the last file that has one. */
    private final Map<Component, Map<String, Replacement>> norms = new EnumMap<>(Component.class);
    /** For each component, what adds to its norms. */
    private final Map<Component, List<Vector>> vectors = new EnumMap<>(Component.class);
    /** What of the files has no effect. */
    private final List<String> notes = new ArrayList<>();

    /** DoRA's factors of the components' matrices, once they were computed. */
    private final Map<Component, Map<String, float[]>> factors = new EnumMap<>(Component.class);

    /** Rows of a module of a LoRA, by its place in the list. */
    private record Addend(int lora, String module, LoraTargets.Target target, LoraTargets.Slot slot) {
    }

    /** A tensor of a LoRA's file, by the LoRA's place in the list. */
    private record Replacement(int lora, String key) {
    }

    /** What a module of a LoRA, by its place in the list, adds to a norm. */
    private record Vector(int lora, String module, boolean bias, String tensor) {
    }

    private AdaptedFiles(ModelFiles model, List<Lora> loras) {
        super(model);
        this.loras = List.copyOf(loras);
    }

    /**
     * Opens the files and finds a place in the model for every tensor in them.
     *
     * @return the model itself when there are no LoRAs
     * @throws InputException when a file cannot be read or has tensors that fit nowhere
     */
    public static ModelFiles of(ModelFiles model, List<Lora> loras) {
        if (loras.isEmpty()) {
            return model;
        }
        AdaptedFiles adapted = new AdaptedFiles(model, loras);
        LoraNames names = new LoraNames(model);
        for (int i = 0; i < loras.size(); i++) {
            try (LoraFile file = LoraFile.open(loras.get(i))) {
                adapted.plan(i, file, names);
                adapted.notes.addAll(file.notes());
            }
        }
        return adapted;
    }

    private void plan(int index, LoraFile file, LoraNames names) {
        int keys = file.strangers().size();
        List<String> unmatched = new ArrayList<>(file.strangers().stream()
                .filter(name -> !planNorm(index, file, name, names)).toList());
        Map<String, Integer> leftOut = new TreeMap<>();
        for (LoraModule module : file.modules()) {
            keys += module.keys().size();
            LoraNames.Norm norm = module.changesMatrix() ? null : names.findNorm(module.name());
            if (norm != null) {
                planNorm(index, file, module, norm);
                continue;
            }
            LoraNames.Match match = names.find(module.name());
            String without = match == null ? names.leftOut(module.name()) : null;
            if (without != null) {
                leftOut.merge(without, module.keys().size(), Integer::sum);
                continue;
            }
            if (match == null) {
                unmatched.addAll(module.keys());
                continue;
            }
            LoraTargets.Target target = match.target();
            if (module.changesMatrix()) {
                checkMatrix(file, module, target);
            }
            file.bias(module, target);
            for (LoraTargets.Slot slot : target.slots()) {
                plan.computeIfAbsent(match.component(), _ -> new LinkedHashMap<>())
                        .computeIfAbsent(slot.tensor(), _ -> new ArrayList<>())
                        .add(new Addend(index, module.name(), target, slot));
            }
        }
        if (keys == 0) {
            throw new InputException(file.origin() + ": holds no tensors; is this a LoRA?");
        }
        if (!unmatched.isEmpty()) {
            List<String> shown = unmatched.stream().limit(MOST_SHOWN).map(InputException::shown).toList();
            throw new InputException(file.origin() + ": " + unmatched.size() + " of its " + keys
                    + " tensors match nothing in " + origin() + ": " + String.join(", ", shown)
                    + (unmatched.size() > MOST_SHOWN ? " and " + (unmatched.size() - MOST_SHOWN) + " more" : "")
                    + "; " + isItForAnother());
        }
        String all = " of its " + keys + " tensors are for ";
        leftOut.forEach((part, count) -> notes.add(file.origin() + ": " + count + all + part));
    }

    private void checkMatrix(LoraFile file, LoraModule module, LoraTargets.Target target) {
        Delta delta = file.delta(module);
        if (delta.rows() != target.rows() || delta.cols() != target.cols()) {
            throw new InputException(file.origin() + ": " + InputException.shown(module.keys().getFirst())
                    + " is of a matrix [" + delta.rows() + ", " + delta.cols() + "], but "
                    + target.slots().stream().map(LoraTargets.Slot::tensor).toList() + " of " + origin()
                    + " is [" + target.rows() + ", " + target.cols() + "]; " + isItForAnother());
        }
        file.magnitude(module, target);
    }

    /** Takes what is added to a norm. */
    private void planNorm(int index, LoraFile file, LoraModule module, LoraNames.Norm norm) {
        for (boolean bias : new boolean[] {false, true}) {
            float[] values = module.norm(bias);
            String tensor = norm.tensor() + (bias ? ".bias" : ".weight");
            if (values == null) {
                continue;
            }
            try (Open open = model().inspect(norm.component())) {
                Shape shape = open.tensors().shape(tensor);
                if (shape == null || shape.size() != values.length) {
                    throw new InputException(file.origin() + ": " + InputException.shown(module.keys().getFirst())
                            + " is of " + values.length + " values, but " + tensor + " of " + origin() + " is " + shape
                            + "; " + isItForAnother());
                }
            }
            vectors.computeIfAbsent(norm.component(), _ -> new ArrayList<>())
                    .add(new Vector(index, module.name(), bias, tensor));
        }
    }

    /** Whether a tensor is a norm of the model. */
    private boolean planNorm(int index, LoraFile file, String name, LoraNames names) {
        LoraNames.Norm norm = names.norm(name);
        if (norm == null) {
            return false;
        }
        Tensor tensor = file.stranger(name);
        String where = file.origin() + ": " + InputException.shown(name) + " is ";
        try (Open open = model().inspect(norm.component())) {
            Shape shape = open.tensors().shape(norm.tensor());
            if (!tensor.shape().equals(shape) || !tensor.type().isFloat()) {
                throw new InputException(where + tensor + ", but " + norm.tensor() + " of " + origin() + " is " + shape
                        + "; " + isItForAnother());
            }
        }
        LoraModule.checkFinite(file.origin(), name, tensor);
        norms.computeIfAbsent(norm.component(), _ -> new HashMap<>()).put(norm.tensor(), new Replacement(index, name));
        return true;
    }

    private String isItForAnother() {
        return "is this LoRA for another model? this one is " + architecture().model(model());
    }

    @Override
    public List<Path> weights(Component component) {
        List<Path> all = new ArrayList<>(super.weights(component));
        if (!all.isEmpty()) {
            loras.forEach(lora -> all.add(lora.weights()));
        }
        return all;
    }

    @Override
    public List<String> notes() {
        return Stream.concat(model().notes().stream(), notes.stream()).toList();
    }

    @Override
    public Open open(Component component) {
        return adapted(component, model().open(component), false);
    }

    @Override
    public Open inspect(Component component) {
        return adapted(component, model().inspect(component), true);
    }

    private Open adapted(Component component, Open base, boolean sizesOnly) {
        Map<String, List<Addend>> addends = plan.getOrDefault(component, Map.of());
        Map<String, Replacement> replacements = norms.getOrDefault(component, Map.of());
        List<Vector> ofNorms = vectors.getOrDefault(component, List.of());
        if (addends.isEmpty() && replacements.isEmpty() && ofNorms.isEmpty()) {
            return base;
        }
        Map<Integer, LoraFile> files = new LinkedHashMap<>();
        boolean opened = false;
        try {
            AdaptedSource source = new AdaptedSource(QuantisedSource.of(base.tensors()), sizesOnly);
            Map<String, Adaptation> adaptations = new HashMap<>();
            Map<String, float[]> known = sizesOnly ? null
                    : factors.computeIfAbsent(component, _ -> new ConcurrentHashMap<>());
            addends.forEach((tensor, list) -> {
                for (Addend addend : list) {
                    float weight = loras.get(addend.lora).weight(component);
                    if (weight != 0) {
                        LoraFile file = open(addend.lora, files);
                        float[] bias = file.bias(file.module(addend.module), addend.target);
                        if (bias != null) {
                            source.addBias(addend.slot.bias(), addend.slot.part(bias), weight);
                        }
                        if (file.module(addend.module).changesMatrix()) {
                            source.add(tensor, addend.slot, adaptations.computeIfAbsent(addend.lora + " "
                                    + addend.module, name -> adaptation(name, file, addend, weight, known)));
                        }
                    }
                }
            });
            for (Vector vector : ofNorms) {
                float weight = loras.get(vector.lora).weight(component);
                if (weight != 0) {
                    source.addBias(vector.tensor, open(vector.lora, files).module(vector.module).norm(vector.bias),
                            weight);
                }
            }
            replacements.forEach((tensor, replacement) -> {
                if (loras.get(replacement.lora).weight(component) != 0) {
                    source.replace(tensor, open(replacement.lora, files).stranger(replacement.key));
                }
            });
            opened = true;
            return new AdaptedOpen(base, source, List.copyOf(files.values()));
        } finally {
            if (!opened) {
                files.values().forEach(LoraFile::close);
                base.close();
            }
        }
    }

    private LoraFile open(int lora, Map<Integer, LoraFile> files) {
        return files.computeIfAbsent(lora, i -> LoraFile.open(loras.get(i)));
    }

    private static Adaptation adaptation(String name, LoraFile file, Addend addend, float weight,
                                         Map<String, float[]> known) {
        LoraModule module = file.module(addend.module);
        return new Adaptation(name, addend.target, () -> file.delta(module), file.magnitude(module, addend.target),
                weight, known);
    }

    private record AdaptedOpen(Open base, TensorSource tensors, List<LoraFile> files) implements Open {
        @Override
        public ConfigFile config() {
            return base.config();
        }

        @Override
        public void close() {
            files.forEach(LoraFile::close);
            base.close();
        }
    }
}
