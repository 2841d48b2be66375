package jdiffusion.model.adapter;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;

/** Makes LoRA files with random values, and keeps the matrices that they stand for. */
final class LoraMaker {
    final Map<String, Tensor> tensors = new HashMap<>();
    final Map<String, String> metadata = new HashMap<>();
    private final Random random = new Random(11);

    Tensor random(int... dims) {
        float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (random.nextFloat() - 0.5f) / 4;
        }
        return Tensor.of(values, dims);
    }

    Tensor put(String name, int... dims) {
        Tensor tensor = random(dims);
        tensors.put(name, tensor);
        return tensor;
    }

    void alpha(String name, float value) {
        tensors.put(name, Tensor.of(Tensor.of(new float[] {value}, 1).data(), DType.F32, Shape.of()));
    }

    /** A pair under two names; what it stands for, [n, k], times {@code scale}. */
    double[][] pair(String down, String up, int n, int k, int rank, double scale) {
        return scaled(product(put(up, n, rank), put(down, rank, k)), scale);
    }

    Path write(Path file) {
        SafetensorsWriter.write(file, tensors, metadata);
        return file;
    }

    static double[][] product(Tensor left, Tensor right) {
        double[][] out = new double[left.rows()][right.cols()];
        for (int i = 0; i < out.length; i++) {
            for (int r = 0; r < right.rows(); r++) {
                for (int j = 0; j < out[0].length; j++) {
                    out[i][j] += (double) left.get(i, r) * right.get(r, j);
                }
            }
        }
        return out;
    }

    static double[][] kronecker(double[][] a, double[][] b) {
        double[][] out = new double[a.length * b.length][a[0].length * b[0].length];
        for (int i = 0; i < out.length; i++) {
            for (int j = 0; j < out[0].length; j++) {
                out[i][j] = a[i / b.length][j / b[0].length] * b[i % b.length][j % b[0].length];
            }
        }
        return out;
    }

    static double[][] of(Tensor tensor) {
        double[][] out = new double[tensor.rows()][tensor.cols()];
        for (int i = 0; i < out.length; i++) {
            for (int j = 0; j < out[0].length; j++) {
                out[i][j] = tensor.get(i, j);
            }
        }
        return out;
    }

    static double[][] scaled(double[][] matrix, double factor) {
        for (double[] row : matrix) {
            for (int j = 0; j < row.length; j++) {
                row[j] *= factor;
            }
        }
        return matrix;
    }

    /** Rows {@code from} to {@code to}, then further such ranges. */
    static double[][] rows(double[][] matrix, int... ranges) {
        int n = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            n += ranges[i + 1] - ranges[i];
        }
        double[][] out = new double[n][];
        int at = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            for (int r = ranges[i]; r < ranges[i + 1]; r++) {
                out[at++] = matrix[r];
            }
        }
        return out;
    }
}
