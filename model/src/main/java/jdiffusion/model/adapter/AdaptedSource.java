package jdiffusion.model.adapter;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WrappedSource;

/** A component's tensors, some of them adapted. A convolution's weight, which has to be one tensor, is summed up. */
final class AdaptedSource extends WrappedSource {
    private final boolean sizesOnly;
    private final Map<String, List<Addend>> addends = new HashMap<>();
    /** For each matrix, what it is before and after each of its addends. */
    private final Map<String, List<Weight>> weights = new HashMap<>();
    private final Map<String, Tensor> sums = new HashMap<>();
    private final Map<String, Tensor> replaced = new HashMap<>();

    private record Addend(Adaptation adaptation, LoraTargets.Slot slot) {
    }

    /** @param sizesOnly whether nothing but shapes and sizes will be asked for */
    AdaptedSource(TensorSource base, boolean sizesOnly) {
        super(base);
        this.sizesOnly = sizesOnly;
    }

    /** Adaptations of a matrix work one after the other, in the order in which they come here. */
    void add(String tensor, LoraTargets.Slot slot, Adaptation adaptation) {
        addends.computeIfAbsent(tensor, _ -> new ArrayList<>()).add(new Addend(adaptation, slot));
    }

    /** Adds to the bias of a layer. */
    void addBias(String name, float[] values, float weight) {
        Tensor bias = sums.computeIfAbsent(name, _ -> base.find(name));
        if (sizesOnly) {
            sums.put(name, Tensor.of(Unreadable.at(0, (long) values.length * Float.BYTES), DType.F32, bias.shape()));
            return;
        }
        float[] sum = bias.toArray();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += weight * values[i];
        }
        sums.put(name, Tensor.of(sum, sum.length));
    }

    /** A tensor takes the place of another of its shape. */
    void replace(String name, Tensor tensor) {
        replaced.put(name, tensor);
    }

    @Override
    public Tensor find(String name) {
        Tensor other = replaced.getOrDefault(name, addends.containsKey(name) ? null : sums.get(name));
        if (other != null) {
            return other;
        }
        if (!addends.containsKey(name)) {
            return base.find(name);
        }
        return base.shape(name).rank() == 2 ? null : sums.computeIfAbsent(name, this::sum);
    }

    @Override
    public Weight weight(String name) {
        if (!addends.containsKey(name) || base.shape(name).rank() != 2 || base.weight(name) == null) {
            return base.weight(name);
        }
        return after(name, addends.get(name).size());
    }

    /** A matrix with the first of its addends; of a convolution [rows, all columns]. */
    private Weight after(String name, int count) {
        List<Weight> known = weights.computeIfAbsent(name, _ -> new ArrayList<>(List.of(matrix(name))));
        while (known.size() <= count) {
            Addend addend = addends.get(name).get(known.size() - 1);
            known.add(addend.adaptation.apply(known.getLast(), addend.slot, other -> before(other, addend)));
        }
        return known.get(count);
    }

    private Weight before(String name, Addend addend) {
        List<Addend> all = addends.get(name);
        int count = 0;
        while (all.get(count).adaptation != addend.adaptation) {
            count++;
        }
        return after(name, count);
    }

    /** The matrix without addends. */
    private Weight matrix(String name) {
        Shape shape = base.shape(name);
        if (shape.rank() == 2) {
            return base.weight(name);
        }
        int rows = shape.dim(0);
        int cols = Math.toIntExact(shape.size() / rows);
        Tensor plain = base.find(name);
        if (plain != null) {
            return Weight.of(plain.reshape(rows, cols));
        }
        Weight stored = base.weight(name);
        float[] values = new float[Math.multiplyExact(rows, cols)];
        for (int r = 0; r < stored.rows(); r++) {
            stored.read(r, 0, stored.cols(), values, r * stored.cols());
        }
        return Weight.of(Tensor.of(values, rows, cols));
    }

    private Tensor sum(String name) {
        Shape shape = base.shape(name);
        if (sizesOnly) {
            return Tensor.of(Unreadable.at(0, shape.size() * DType.F32.bytes()), DType.F32, shape);
        }
        Weight weight = after(name, addends.get(name).size());
        weights.remove(name);
        float[] values = new float[Math.multiplyExact(weight.rows(), weight.cols())];
        for (int r = 0; r < weight.rows(); r++) {
            weight.read(r, 0, weight.cols(), values, r * weight.cols());
        }
        return Tensor.of(values, shape.dims());
    }
}
