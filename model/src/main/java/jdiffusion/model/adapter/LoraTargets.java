package jdiffusion.model.adapter;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;

/**
 * The matrices of a component by all names that LoRA files have for them: those of diffusers and those of Stability's
 * own code, which fuses some, with dots or with underscores.
 */
final class LoraTargets {
    private static final String WEIGHT = ".weight";
    private static final String TEXT_MODEL = "text_model_";

    private final Map<String, Target> byName = new HashMap<>();

    /**
     * What one module of a LoRA file changes.
     *
     * @param slots the matrices of the checkpoint, which lie one below the other in the module
     * @param rows  of the module
     * @param cols  of the module
     */
    record Target(List<Slot> slots, int rows, int cols) {
    }

    /**
     * Rows {@code from} to {@code to} of a module are those of a matrix.
     *
     * @param tensor  the matrix's name in the diffusers layout
     * @param swapped whether the module has the two halves of the rows the other way round
     */
    record Slot(String tensor, int from, int to, boolean swapped) {
    }

    LoraTargets(Component component, TensorSource tensors) {
        Map<String, List<Slot>> fused = new HashMap<>();
        for (String name : tensors.names()) {
            Shape shape = name.endsWith(WEIGHT) ? tensors.shape(name) : null;
            if (shape == null || shape.rank() < 2 || shape.size() == 0) {
                continue;
            }
            int rows = shape.dim(0);
            int cols = Math.toIntExact(shape.size() / rows);
            String module = name.substring(0, name.length() - WEIGHT.length());
            Target whole = new Target(List.of(new Slot(name, 0, rows, false)), rows, cols);
            byName.put(flat(module), whole);
            if (module.endsWith(".0")) {
                byName.putIfAbsent(flat(module.substring(0, module.length() - 2)), whole);
            }
            StabilityName original = component == Component.DENOISER
                    ? StabilityName.of(module, rows == 2 * cols) : null;
            if (original != null && original.parts() == 1) {
                byName.put(flat(original.module()),
                        new Target(List.of(new Slot(name, 0, rows, original.swapped())), rows, cols));
            } else if (original != null) {
                int from = original.part() * rows;
                fused.computeIfAbsent(flat(original.module()), _ -> new ArrayList<>())
                        .add(new Slot(name, from, from + rows, false));
                byName.put(flat(original.module()),
                        new Target(fused.get(flat(original.module())), original.parts() * rows, cols));
            }
        }
    }

    /** Null when nothing has that name. */
    Target find(String module) {
        Target found = byName.get(flat(module));
        return found != null ? found : byName.get(TEXT_MODEL + flat(module));
    }

    private static String flat(String module) {
        return module.replace('.', '_');
    }
}
