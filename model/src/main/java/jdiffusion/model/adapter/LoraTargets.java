package jdiffusion.model.adapter;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;

/**
 * The matrices of a component by all names that LoRA files have for them: those of diffusers and those of its
 * publisher, which fuses some, with dots or with underscores.
 */
final class LoraTargets {
    private static final String WEIGHT = ".weight";
    /** Of q, k and v in OpenCLIP, whose module is called in_proj. */
    private static final String JOINED_WEIGHT = "in_proj_weight";
    private static final String TEXT_MODEL = "text_model_";

    /** What Black Forest Labs call the weight of a norm, which their files replace. */
    private static final String SCALE = ".scale";

    private final Map<String, Target> byName = new HashMap<>();
    private final Map<String, String> norms = new HashMap<>();
    /** Norms' modules in the diffusers layout. */
    private final Map<String, String> vectors = new HashMap<>();
    /** What other models of the kind have, by the beginning of its modules' names. */
    private final Map<String, String> ofOthers = new HashMap<>();

    /**
     * What one module of a LoRA file changes.
     *
     * @param slots  the matrices of the checkpoint, which lie one below the other in the module
     * @param rows   of the module, the layer's outputs
     * @param cols   of the module
     * @param inputs of the layer: the columns, or of a convolution its input channels
     * @param biased whether all of its matrices have biases
     */
    record Target(List<Slot> slots, int rows, int cols, int inputs, boolean biased) {
    }

    /**
     * Rows {@code from} to {@code to} of a module are those of a matrix.
     *
     * @param tensor  the matrix's name in the diffusers layout
     * @param swapped whether the module has the two halves of the rows the other way round
     */
    record Slot(String tensor, int from, int to, boolean swapped) {
        /** Name of the bias of its layer. */
        String bias() {
            return module(tensor) + ".bias";
        }

        /** Of a module's values, one for each row, those of this matrix. */
        float[] part(float[] values) {
            float[] part = Arrays.copyOfRange(values, from, to);
            if (swapped) {
                int half = part.length / 2;
                System.arraycopy(values, from + half, part, 0, half);
                System.arraycopy(values, from, part, half, half);
            }
            return part;
        }
    }

    LoraTargets(Network network, TensorSource tensors) {
        for (String name : tensors.names()) {
            Shape shape = matrix(tensors, name);
            if (shape != null) {
                int rows = shape.dim(0);
                Slot slot = new Slot(name, 0, rows, false);
                Target whole = new Target(List.of(slot), rows, columns(shape), shape.dim(1), isBiased(slot, tensors));
                String module = module(name);
                byName.put(flat(module), whole);
                if (module.endsWith(".0")) {
                    byName.putIfAbsent(flat(module.substring(0, module.length() - 2)), whole);
                }
            } else if (isVector(tensors, name)) {
                vectors.put(flat(module(name)), module(name));
            }
        }
        network.ofSome().forEach((start, label) -> ofOthers.put(flat(start), label));
        for (Naming naming : network.adapters()) {
            naming.toOriginal(tensors.names()).forEach(mapped -> addOriginal(mapped, tensors));
        }
    }

    private static boolean isBiased(Slot slot, TensorSource tensors) {
        Shape shape = tensors.shape(slot.bias());
        return shape != null && shape.size() == slot.to - slot.from;
    }

    private void addOriginal(Mapped mapped, TensorSource tensors) {
        if (!mapped.original().endsWith(WEIGHT) && !mapped.original().endsWith(JOINED_WEIGHT)) {
            // A parameter that is no module's weight.
            if (mapped.original().endsWith(SCALE)) {
                norms.put(mapped.original(), mapped.names().getFirst());
            }
            return;
        }
        List<Slot> slots = new ArrayList<>();
        int share = 0;
        int cols = 0;
        int inputs = 0;
        for (int i = 0; i < mapped.names().size(); i++) {
            Shape shape = matrix(tensors, mapped.names().get(i));
            if (shape != null) {
                int shares = mapped.shares().get(i);
                share = shape.dim(0) / shares;
                cols = columns(shape);
                inputs = shape.dim(1);
                int first = mapped.before(i) * share;
                slots.add(new Slot(mapped.names().get(i), first, first + shares * share,
                        mapped.form() == Mapped.Form.SWAPPED));
            }
        }
        if (mapped.names().size() == 1 && isVector(tensors, mapped.names().getFirst())) {
            vectors.put(flat(module(mapped.original())), module(mapped.names().getFirst()));
        }
        if (!slots.isEmpty()) {
            byName.put(flat(module(mapped.original())), new Target(slots, mapped.parts() * share, cols, inputs,
                    slots.stream().allMatch(slot -> isBiased(slot, tensors))));
        }
    }

    private static boolean isVector(TensorSource tensors, String name) {
        return name.endsWith(WEIGHT) && tensors.shape(name) != null && tensors.shape(name).rank() == 1;
    }

    /** The shape of a module's weight; null for other tensors. */
    private static Shape matrix(TensorSource tensors, String name) {
        Shape shape = name.endsWith(WEIGHT) ? tensors.shape(name) : null;
        return shape == null || shape.rank() < 2 || shape.size() == 0 ? null : shape;
    }

    private static int columns(Shape shape) {
        return Math.toIntExact(shape.size() / shape.dim(0));
    }

    private static String module(String name) {
        return name.substring(0, name.length() - WEIGHT.length());
    }

    /** Null when nothing has that name. */
    Target find(String module) {
        Target found = byName.get(flat(module));
        return found != null ? found : byName.get(TEXT_MODEL + flat(module));
    }

    /** The module of a norm in the diffusers layout; null for none. */
    String vector(String module) {
        String found = vectors.get(flat(module));
        return found != null ? found : vectors.get(TEXT_MODEL + flat(module));
    }

    /** What a module is that other models of the kind have; null for none. */
    String ofOthers(String module) {
        String flat = flat(module);
        return ofOthers.keySet().stream().filter(flat::startsWith).map(ofOthers::get).findFirst().orElse(null);
    }

    /** The tensor of a norm that a file names as its publisher does; null for none. */
    String norm(String name) {
        return norms.get(name);
    }

    private static String flat(String module) {
        return module.replace('.', '_');
    }
}
