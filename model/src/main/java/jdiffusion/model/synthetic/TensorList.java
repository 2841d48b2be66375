package jdiffusion.model.synthetic;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.convert.Outgoing;
import jdiffusion.model.quantize.Elements;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;

/** Collects a component's tensors: names, shapes, and random numbers of a scale that keeps activations finite. */
public final class TensorList {
    private static final float BIAS = 0.02f;
    private static final float NORM = 0.05f;

    private final String stream;
    private final long seed;
    private final DType type;
    private final List<Outgoing> tensors = new ArrayList<>();

    /** @param component goes into the random numbers, so that equal names of two components differ */
    public TensorList(String component, long seed, DType type) {
        this.stream = component + "/";
        this.seed = seed;
        this.type = type;
    }

    public List<Outgoing> tensors() {
        return List.copyOf(tensors);
    }

    public TensorList add(String name, Elements elements) {
        tensors.add(Outgoing.plain(name, elements, type));
        return this;
    }

    public TensorList normal(String name, float mean, double std, int... dims) {
        return add(name, new Drawn(Shape.of(dims), new NormalNumbers(seed, stream + name), mean, (float) std));
    }

    /** A matrix [out, in] whose outputs are as large as its inputs, times {@code gain}. */
    public TensorList matrix(String name, double gain, int out, int in) {
        return normal(name + ".weight", 0, gain / Math.sqrt(in), out, in);
    }

    public TensorList linear(String name, int out, int in) {
        return linear(name, 1, out, in);
    }

    public TensorList linear(String name, double gain, int out, int in) {
        return matrix(name, gain, out, in).normal(name + ".bias", 0, BIAS, out);
    }

    public TensorList scale(String name, int channels) {
        return normal(name + ".weight", 1, NORM, channels);
    }

    public TensorList norm(String name, int channels) {
        return scale(name, channels).normal(name + ".bias", 0, BIAS, channels);
    }

    public TensorList conv(String name, int out, int in, int side) {
        return normal(name + ".weight", 0, 1 / Math.sqrt(in * side * side), out, in, side, side)
                .normal(name + ".bias", 0, BIAS, out);
    }
}
