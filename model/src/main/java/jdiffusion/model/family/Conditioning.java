package jdiffusion.model.family;

import java.util.Map;
import java.util.TreeMap;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * What the denoiser reads of one guidance branch, beside latents and time: float32 tensors on the host, by name. All
 * entries of a batch have tensors of the same names and shapes.
 */
public record Conditioning(Map<String, Tensor> tensors) {
    /** The text, [tokens, width]. */
    public static final String CONTEXT = "context";
    /** The text as one vector, [width]. */
    public static final String POOLED = "pooled";

    public Conditioning {
        tensors = Map.copyOf(tensors);
    }

    /** A text alone. */
    public static Conditioning of(Tensor context, Tensor pooled) {
        return new Conditioning(Map.of(CONTEXT, context, POOLED, pooled));
    }

    /** @throws IllegalArgumentException when there is no tensor of that name */
    public Tensor get(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("the conditioning has " + tensors.keySet() + " and no " + name);
        }
        return tensor;
    }

    /** Of all tensors, by their names. */
    public Map<String, Shape> shapes() {
        Map<String, Shape> shapes = new TreeMap<>();
        tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
        return shapes;
    }

    public Tensor context() {
        return get(CONTEXT);
    }

    public Tensor pooled() {
        return get(POOLED);
    }
}
