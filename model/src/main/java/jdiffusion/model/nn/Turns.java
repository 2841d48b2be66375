package jdiffusion.model.nn;

import java.util.List;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * Two places that a chain of layers writes to in turn: each output takes the place of the one before its input. At
 * full size an image at every resolution would be most of a pipeline's memory.
 *
 * @param shapes of the outputs, in order
 * @param even   memory for the outputs 0, 2, ...
 * @param odd    memory for the outputs 1, 3, ...
 */
public record Turns(List<Shape> shapes, Tensor even, Tensor odd) {
    public static Turns in(Workspace w, List<Shape> shapes) {
        return new Turns(shapes, largest(w, shapes, 0), largest(w, shapes, 1));
    }

    private static Tensor largest(Workspace w, List<Shape> shapes, int first) {
        Shape largest = Shape.of(0);
        for (int i = first; i < shapes.size(); i += 2) {
            largest = shapes.get(i).size() > largest.size() ? shapes.get(i) : largest;
        }
        return w.f32(largest.dims());
    }

    /** Output {@code i}; output i - 2 is lost when it is written. */
    public Tensor output(int i) {
        return Tensor.of((i % 2 == 0 ? even : odd).data(), DType.F32, shapes.get(i));
    }
}
