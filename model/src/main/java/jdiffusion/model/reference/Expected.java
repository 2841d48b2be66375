package jdiffusion.model.reference;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;

/**
 * The tensors of one {@code io.safetensors}: inputs are taken, everything else is compared. What is neither by the
 * end is reported, so that a reference cannot pass by not being looked at.
 */
public final class Expected {
    private final String component;
    private final TensorSource io;
    private final double tolerance;
    private final Set<String> seen = new LinkedHashSet<>();
    private final List<Comparison> comparisons = new ArrayList<>();

    public Expected(String component, TensorSource io, double tolerance) {
        this.component = component;
        this.io = io;
        this.tolerance = tolerance;
    }

    /** The same, of which nothing was looked at: for a run that only counts memory. */
    public Expected blank() {
        return new Expected(component, io, tolerance);
    }

    public boolean has(String name) {
        return io.find(name) != null;
    }

    public Set<String> names() {
        return io.names();
    }

    /** An input, of the rank that it must have. */
    public Tensor input(String name, int rank) {
        seen.add(name);
        Tensor tensor = find(name);
        if (tensor.shape().rank() != rank || tensor.shape().size() == 0) {
            throw new InputException(io.origin() + ": " + name + " is " + tensor.shape() + "; " + rank
                    + " dimensions are expected");
        }
        return tensor;
    }

    /** Integer inputs [batch][n], such as token ids. */
    public int[][] indices(String name) {
        Tensor tensor = input(name, 2);
        if (tensor.type() != DType.I64 && tensor.type() != DType.I32) {
            throw new InputException(io.origin() + ": token ids have type " + tensor.type() + ", not I64 or I32");
        }
        int[][] out = new int[tensor.rows()][tensor.cols()];
        for (int r = 0; r < out.length; r++) {
            for (int c = 0; c < out[r].length; c++) {
                out[r][c] = (int) tensor.get(r, c);
            }
        }
        return out;
    }

    /**
     * Masks of texts, 1 for a token that counts and then 0 for padding, as how many of each text count.
     *
     * @param texts  as many as there must be
     * @param tokens of each, with padding
     */
    public int[] counts(String name, int texts, int tokens) {
        int[][] masks = indices(name);
        int[] counts = new int[masks.length];
        boolean fits = masks.length == texts && masks[0].length == tokens;
        for (int i = 0; fits && i < counts.length; i++) {
            counts[i] = (int) Arrays.stream(masks[i]).takeWhile(kept -> kept == 1).count();
            fits = Arrays.stream(masks[i]).skip(counts[i]).allMatch(kept -> kept == 0);
        }
        if (!fits) {
            throw new InputException(io.origin() + ": " + name + " is not " + texts + " rows of ones, then zeros, "
                    + tokens + " in all; only padding at the end can be left out");
        }
        return counts;
    }

    /** The shape of a tensor that must be there. */
    public Shape shape(String name) {
        return find(name).shape();
    }

    /** The reference's own values, which are still to be compared. */
    public float[] values(String name) {
        return find(name).toArray();
    }

    private Tensor find(String name) {
        Tensor tensor = io.find(name);
        if (tensor == null) {
            throw new InputException(io.origin() + ": the tensor " + name + " is missing; is this a complete"
                    + " reference?");
        }
        return tensor;
    }

    /** Compares when the reference has a tensor of that name. */
    public void compare(String name, Shape shape, float[] actual) {
        compareWithin(name, shape, actual, 1);
    }

    /** The same with so many times the tolerance. */
    public void compareWithin(String name, Shape shape, float[] actual, double factor) {
        if (has(name)) {
            Tensor expected = find(name);
            seen.add(name);
            comparisons.add(expected.shape().equals(shape)
                    ? Comparison.of(component, name, shape, actual, expected.toArray(), factor * tolerance)
                    : mismatch(name, expected.shape()));
        }
    }

    /** Numbers that are drawn must be in the reference, and equal. */
    public void compareDrawn(String name, Shape shape, float[] actual) {
        find(name);
        compareWithin(name, shape, actual, 0);
    }

    public void comparePicture(String name, Shape shape, float[] actual) {
        if (has(name)) {
            Tensor expected = find(name);
            seen.add(name);
            comparisons.add(expected.shape().equals(shape)
                    ? Comparison.ofPicture(component, name, shape, actual, expected.toArray(), tolerance)
                    : mismatch(name, expected.shape()));
        }
    }

    /** Ids must be equal; the error is the number of those that are not. */
    public void compareIndices(String name, int[] actual) {
        if (has(name)) {
            int[] expected = indices(name)[0];
            int different = Math.abs(expected.length - actual.length);
            for (int i = 0; i < Math.min(expected.length, actual.length); i++) {
                different += expected[i] == actual[i] ? 0 : 1;
            }
            comparisons.add(new Comparison(component, name, Shape.of(1, actual.length), different, different, 0,
                    Double.NaN));
        }
    }

    private Comparison mismatch(String name, Shape shape) {
        return new Comparison(component, name, shape, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, tolerance,
                Double.NaN);
    }

    /** All comparisons; tensors that nothing was computed for count as infinitely wrong. */
    public List<Comparison> finish() {
        for (String name : io.names()) {
            if (!seen.contains(name)) {
                comparisons.add(mismatch(name, io.find(name).shape()));
            }
        }
        if (comparisons.isEmpty()) {
            throw new InputException(io.origin() + ": holds inputs only and nothing to compare; is this a complete"
                    + " reference?");
        }
        return comparisons;
    }

    /** The compute with all tensors compared that models trace and the reference has, in its order of dimensions. */
    public Compute traced(Compute plain) {
        Trace trace = (name, module, tensor, heads) -> {
            if (has(name)) {
                compare(name, tensor.shape(), plain.backend().download(tensor));
            }
            return false;
        };
        return new Compute(plain.backend(), plain.workspace(), trace);
    }

    /** An input on the device, in float32. */
    public Tensor upload(Compute compute, String name, int rank) {
        Tensor input = input(name, rank);
        Tensor tensor = compute.workspace().f32(input.shape().dims());
        compute.backend().upload(input.toArray(), tensor);
        return tensor;
    }
}
