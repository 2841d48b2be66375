package jdiffusion.model.adapter;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WrappedSource;

/** A component's tensors, some with deltas added. A convolution's weight, which has to be one tensor, is summed up. */
final class AdaptedSource extends WrappedSource {
    private final Map<String, List<Addend>> addends = new HashMap<>();
    private final Map<String, Weight> weights = new HashMap<>();
    private final Map<String, Tensor> sums = new HashMap<>();

    private record Addend(LoraTargets.Slot slot, Supplier<Delta> module) {
        /** The rows of the module that belong to the matrix, in the matrix's order. */
        List<Delta> halves(int rows) {
            Delta whole = module.get();
            int half = rows / 2;
            return slot.swapped() ? List.of(whole.slice(slot.from() + half, slot.to()),
                    whole.slice(slot.from(), slot.from() + half)) : List.of(whole.slice(slot.from(), slot.to()));
        }
    }

    AdaptedSource(TensorSource base) {
        super(base);
    }

    void add(String tensor, LoraTargets.Slot slot, Supplier<Delta> module) {
        addends.computeIfAbsent(tensor, _ -> new ArrayList<>()).add(new Addend(slot, module));
    }

    @Override
    public Tensor find(String name) {
        if (!addends.containsKey(name)) {
            return base.find(name);
        }
        return base.shape(name).rank() == 2 ? null : sums.computeIfAbsent(name, this::sum);
    }

    @Override
    public Weight weight(String name) {
        if (!addends.containsKey(name) || base.shape(name).rank() != 2) {
            return base.weight(name);
        }
        Weight weight = weights.get(name);
        if (weight == null) {
            Weight stored = base.weight(name);
            weight = stored == null ? null : adapted(name, stored);
            weights.put(name, weight);
        }
        return weight;
    }

    /** Where a LoRA has the halves of a matrix swapped, the matrix is adapted in halves. */
    private Weight adapted(String name, Weight stored) {
        int rows = stored.rows();
        List<Delta> whole = new ArrayList<>();
        List<List<Delta>> halves = new ArrayList<>();
        for (Addend addend : addends.get(name)) {
            List<Delta> parts = addend.halves(rows);
            if (parts.size() == 1) {
                whole.add(parts.getFirst());
            } else {
                halves.add(parts);
            }
        }
        if (halves.isEmpty()) {
            return new Weight.Adapted(stored, whole);
        }
        Weight both = whole.isEmpty() ? stored : new Weight.Adapted(stored, whole);
        return Weight.rows(new Weight.Adapted(both.slice(0, rows / 2), halves.stream().map(List::getFirst).toList()),
                new Weight.Adapted(both.slice(rows / 2, rows), halves.stream().map(List::getLast).toList()));
    }

    private Tensor sum(String name) {
        Shape shape = base.shape(name);
        Tensor plain = base.find(name);
        Weight stored = base.weight(name);
        int rows = shape.dim(0);
        int cols = Math.toIntExact(shape.size() / rows);
        float[] values = new float[Math.multiplyExact(rows, cols)];
        if (plain != null) {
            System.arraycopy(plain.toArray(), 0, values, 0, values.length);
        } else {
            for (int r = 0; r < stored.rows(); r++) {
                stored.read(r, 0, stored.cols(), values, r * stored.cols());
            }
        }
        for (Addend addend : addends.get(name)) {
            Delta delta = addend.halves(rows).getFirst();
            for (int r = 0; r < rows; r++) {
                delta.add(r, 0, cols, values, r * cols);
            }
        }
        return Tensor.of(values, shape.dims());
    }
}
