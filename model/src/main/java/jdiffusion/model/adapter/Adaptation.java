package jdiffusion.model.adapter;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * What one module of a LoRA file does to the matrices of its target: W' = W + s D, and with DoRA's magnitude
 * W' = W + s (f (W + D) - W), where f = magnitude / ||W + D||. So s goes in a straight line from the model to what was
 * trained, as in ComfyUI.
 */
final class Adaptation {
    /** Columns that one worker sums up. */
    private static final int STRIP = 64;

    private final String name;
    private final LoraTargets.Target target;
    private final Supplier<Delta> delta;
    private final Magnitude magnitude;
    private final float weight;
    private final Map<String, float[]> found;

    /**
     * @param name      tells it from all others of its component
     * @param delta     as trained: the user's weight is not in it
     * @param magnitude null for a plain LoRA
     * @param weight    s
     * @param found     factors f of the component that were computed before, by names; null when values do not matter
     */
    Adaptation(String name, LoraTargets.Target target, Supplier<Delta> delta, Magnitude magnitude, float weight,
               Map<String, float[]> found) {
        this.name = name;
        this.target = target;
        this.delta = delta;
        this.magnitude = magnitude;
        this.weight = weight;
        this.found = found;
    }

    /** @param before what the target's other matrices are without this module */
    Weight apply(Weight matrix, LoraTargets.Slot slot, Function<String, Weight> before) {
        Delta whole = delta.get();
        int half = matrix.rows() / 2;
        if (!slot.swapped()) {
            return part(matrix, slot.from(), slot.to(), whole, before);
        }
        return Weight.rows(part(matrix.slice(0, half), slot.from() + half, slot.to(), whole, before),
                part(matrix.slice(half, matrix.rows()), slot.from(), slot.from() + half, whole, before));
    }

    /** A matrix that is rows {@code from} to {@code to} of the module. */
    private Weight part(Weight matrix, int from, int to, Delta whole, Function<String, Weight> before) {
        Delta own = whole.slice(from, to);
        if (magnitude == null) {
            return plus(matrix, own.times(weight));
        }
        float[] factors = factors(matrix, own, from, whole, before);
        float[] ofMatrix = new float[factors.length];
        float[] ofDelta = new float[factors.length];
        for (int i = 0; i < factors.length; i++) {
            ofDelta[i] = weight * factors[i];
            ofMatrix[i] = 1 - weight + ofDelta[i];
        }
        Tensor stretching = Tensor.of(ofMatrix, ofMatrix.length);
        return magnitude.ofRows() ? plus(new Stretched(matrix, stretching, null), own.stretch(ofDelta, null))
                : plus(new Stretched(matrix, null, stretching), own.stretch(null, ofDelta));
    }

    private float[] factors(Weight matrix, Delta own, int from, Delta whole, Function<String, Weight> before) {
        if (found == null) {
            float[] ones = new float[magnitude.ofRows() ? matrix.rows() : matrix.cols()];
            Arrays.fill(ones, 1);
            return ones;
        }
        String key = magnitude.ofRows() ? name + " " + from : name;
        float[] factors = found.get(key);
        if (factors == null) {
            factors = magnitude.ofRows() ? magnitude.factors(rowSquares(plus(matrix, own)), from)
                    : magnitude.factors(columnSquares(whole, before), 0);
            found.put(key, factors);
        }
        return factors;
    }

    private static Weight plus(Weight matrix, Delta delta) {
        if (matrix instanceof Weight.Adapted(Weight base, List<Delta> deltas)) {
            List<Delta> more = new ArrayList<>(deltas);
            more.add(delta);
            return new Weight.Adapted(base, more);
        }
        return new Weight.Adapted(matrix, List.of(delta));
    }

    private static double[] rowSquares(Weight matrix) {
        double[] squares = new double[matrix.rows()];
        IntStream.range(0, squares.length).parallel().forEach(row -> {
            float[] values = new float[matrix.cols()];
            matrix.read(row, 0, values.length, values, 0);
            for (float value : values) {
                squares[row] += (double) value * value;
            }
        });
        return squares;
    }

    /** Of the whole module, whatever number of matrices it is in the model. */
    private double[] columnSquares(Delta whole, Function<String, Weight> before) {
        double[] squares = new double[target.cols()];
        for (LoraTargets.Slot slot : target.slots()) {
            Weight matrix = before.apply(slot.tensor());
            int half = slot.swapped() ? matrix.rows() / 2 : matrix.rows();
            addColumnSquares(plus(matrix.slice(0, half), whole.slice(slot.to() - half, slot.to())), squares);
            if (slot.swapped()) {
                addColumnSquares(plus(matrix.slice(half, matrix.rows()),
                        whole.slice(slot.from(), slot.from() + half)), squares);
            }
        }
        return squares;
    }

    /** Each column is summed up by one worker from the top down, so the sums do not depend on their number. */
    private static void addColumnSquares(Weight matrix, double[] squares) {
        IntStream.range(0, Math.ceilDiv(squares.length, STRIP)).parallel().forEach(strip -> {
            int first = strip * STRIP;
            float[] values = new float[Math.min(STRIP, squares.length - first)];
            for (int row = 0; row < matrix.rows(); row++) {
                matrix.read(row, first, values.length, values, 0);
                for (int i = 0; i < values.length; i++) {
                    squares[first + i] += (double) values[i] * values[i];
                }
            }
        });
    }
}
