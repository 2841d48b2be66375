package jdiffusion.model.experiment;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * How far two tensors of one name are apart.
 *
 * @param shape     of the first; null when it is not there
 * @param other     of the second; null when it is not there
 * @param same      whether all bits are the same
 * @param largest   absolute difference
 * @param relative  root of the sum of squared differences, as a share of that of the first tensor's squares
 * @param cosine    of the angle between them
 * @param different elements
 */
public record TensorError(String name, Shape shape, Shape other, boolean same, double largest, double relative,
                          double cosine, long different) {
    /** Of all tensors of both, in the order of the first. */
    public static List<TensorError> of(Map<String, Tensor> a, Map<String, Tensor> b) {
        List<TensorError> errors = new ArrayList<>();
        a.forEach((name, tensor) -> errors.add(of(name, tensor, b.get(name))));
        b.forEach((name, tensor) -> {
            if (!a.containsKey(name)) {
                errors.add(of(name, null, tensor));
            }
        });
        return errors;
    }

    private static TensorError of(String name, Tensor a, Tensor b) {
        if (a == null || b == null || !a.shape().equals(b.shape())) {
            return new TensorError(name, a == null ? null : a.shape(), b == null ? null : b.shape(), false, Double.NaN,
                    Double.NaN, Double.NaN, -1);
        }
        float[] x = a.toArray();
        float[] y = b.toArray();
        double largest = 0;
        double squares = 0;
        double whole = 0;
        long different = 0;
        for (int i = 0; i < x.length; i++) {
            boolean equal = Float.floatToRawIntBits(x[i]) == Float.floatToRawIntBits(y[i]);
            double d = equal ? 0 : (double) x[i] - y[i];
            largest = Double.isNaN(d) ? Double.NaN : Math.max(largest, Math.abs(d));
            squares += d * d;
            whole += (double) x[i] * x[i];
            different += equal ? 0 : 1;
        }
        return new TensorError(name, a.shape(), b.shape(), different == 0, largest,
                squares == 0 ? 0 : Math.sqrt(squares / whole), PictureError.cosine(x, y), different);
    }

    /** Whether both are there, in one shape. */
    public boolean comparable() {
        return different >= 0;
    }
}
