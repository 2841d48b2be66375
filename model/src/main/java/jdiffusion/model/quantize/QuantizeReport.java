package jdiffusion.model.quantize;

import java.lang.foreign.Arena;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/** What quantising a model by rules changes: the error of each tensor, and why others are kept. */
public final class QuantizeReport {
    private static final int RUN = 1 << 14;
    private static final long PIECE = 1 << 20;

    private QuantizeReport() {
    }

    /**
     * A tensor.
     *
     * @param from     type in the checkpoint
     * @param to       type it becomes; null when it is kept
     * @param reason   why it is kept, else null
     * @param rmsError root of the squared error over that of the squared elements
     * @param maxError largest magnitude of a difference
     * @param bytes    before
     * @param stored   bytes after
     */
    public record Row(Component component, String name, Shape shape, String from, String to, String reason,
                      double rmsError, double maxError, long bytes, long stored) {
        /** Bits for an element, with its part of the scales. */
        public double bits() {
            return shape.size() == 0 ? 0 : 8.0 * stored / shape.size();
        }
    }

    /** Quantises every matrix that the rules name, one at a time. */
    public static void of(ModelFiles files, Collection<Component> components, QuantizeRules rules,
                          Consumer<Row> rows) {
        for (Component component : components) {
            if (files.has(component)) {
                try (ModelFiles.Open open = files.open(component)) {
                    for (String name : List.copyOf(open.tensors().names())) {
                        rows.accept(row(files.architecture(), component, name, open.tensors(), rules));
                    }
                }
            }
        }
    }

    private static Row row(Architecture architecture, Component component, String name, TensorSource source,
                           QuantizeRules rules) {
        Tensor tensor = source.find(name);
        Weight weight = tensor == null ? source.weight(name) : null;
        if (tensor == null && weight == null) {
            throw new InputException(source.origin() + ": " + String.join("; ", source.faults()));
        }
        Shape shape = source.shape(name);
        Stored stored = tensor != null ? Stored.of(tensor) : weight == null ? null : Stored.of(weight);
        String from = stored == null ? "?" : stored.label();
        long bytes = stored == null ? 0 : stored.byteSize();
        QuantizeRules.Decision decision = rules.decide(architecture, component, name, shape);
        QuantType type = decision.type();
        String reason = type == null ? decision.reason() : stored != null && type.is(stored) ? "is " + from + " already"
                : tensor != null && !tensor.type().isFloat() ? "no floating-point numbers" : null;
        if (reason != null) {
            return new Row(component, name, shape, from, null, reason, 0, 0, bytes, bytes);
        }
        Elements before = tensor != null ? Elements.of(tensor) : new Elements.OfWeight(shape, weight);
        try (Arena arena = Arena.ofShared()) {
            Stored made = type.quantise(before);
            Elements after = Elements.of(made.weight(shape.rows(), shape.cols(), arena));
            Errors errors = compare(before, after);
            return new Row(component, name, shape, from, type.label(), null, errors.rms(), errors.largest, bytes,
                    made.byteSize());
        }
    }

    /** Sums over a part of the elements. */
    private record Errors(double squared, double total, double largest) {
        Errors and(Errors other) {
            return new Errors(squared + other.squared, total + other.total, Math.max(largest, other.largest));
        }

        double rms() {
            return total == 0 ? 0 : Math.sqrt(squared / total);
        }
    }

    private static Errors compare(Elements before, Elements after) {
        long size = before.shape().size();
        // In the order of the pieces, so that the sums do not depend on the threads.
        List<Errors> parts = LongStream.range(0, Math.ceilDiv(size, PIECE)).parallel()
                .mapToObj(piece -> compare(before, after, piece * PIECE, Math.min(size, (piece + 1) * PIECE))).toList();
        return parts.stream().reduce(new Errors(0, 0, 0), Errors::and);
    }

    private static Errors compare(Elements before, Elements after, long from, long to) {
        float[] a = new float[RUN];
        float[] b = new float[RUN];
        double squared = 0;
        double total = 0;
        float largest = 0;
        for (long at = from; at < to; at += RUN) {
            int n = (int) Math.min(RUN, to - at);
            before.read(at, n, a, 0);
            after.read(at, n, b, 0);
            for (int i = 0; i < n; i++) {
                float error = a[i] - b[i];
                squared += (double) error * error;
                total += (double) a[i] * a[i];
                largest = Math.max(largest, Math.abs(error));
            }
        }
        return new Errors(squared, total, largest);
    }
}
