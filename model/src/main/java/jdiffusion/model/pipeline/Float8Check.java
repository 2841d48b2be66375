package jdiffusion.model.pipeline;

import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.UnsupportedModelException;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/** Products of float8 are for weights that are stored so: asked for where there are none, they would change nothing. */
public final class Float8Check {
    private Float8Check() {
    }

    /** @throws UnsupportedModelException when no component has a matrix of float8 */
    static void check(ModelFiles files) {
        for (Component component : files.architecture().components()) {
            if (files.has(component) && hasFloat8(files, component)) {
                return;
            }
        }
        throw none(files.origin());
    }

    /**
     * @param origin of one network's tensors, for the message
     * @throws UnsupportedModelException when no matrix among them is of float8
     */
    public static void check(TensorSource tensors, String origin) {
        if (!hasFloat8(tensors)) {
            throw none(origin);
        }
    }

    private static UnsupportedModelException none(String origin) {
        return new UnsupportedModelException("--precision fp8 is for weights that are stored as fp8, and " + origin
                + " has none; quantise it with --quantize fp8 (of 'convert', too), or use another precision");
    }

    private static boolean hasFloat8(ModelFiles files, Component component) {
        try (ModelFiles.Open open = files.inspect(component)) {
            return hasFloat8(open.tensors());
        }
    }

    private static boolean hasFloat8(TensorSource tensors) {
        return tensors.names().stream().map(tensors::weight).anyMatch(w -> w != null && isFloat8(w));
    }

    private static boolean isFloat8(Weight w) {
        return switch (w) {
            case Weight.Adapted adapted -> isFloat8(adapted.base());
            case Weight.Rows rows -> rows.parts().stream().anyMatch(Float8Check::isFloat8);
            default -> w.isFloat8();
        };
    }
}
