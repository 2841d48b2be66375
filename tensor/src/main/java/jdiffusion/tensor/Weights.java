package jdiffusion.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * A checkpoint seen from one of its name prefixes. Model code walks it with {@link #at} and asks for every tensor
 * once, with the shape it needs; {@link #finish()} then reports all that was missing, mis-shaped, of a wrong type or
 * left over, in one error.
 *
 * <p>A tensor with a fault is answered by a placeholder of the right shape without memory behind it, so that loading
 * goes on and finds the other faults; nothing computes before {@code finish()}.
 */
public final class Weights {
    private static final int MOST_FAULTS_SHOWN = 8;

    private final Ledger ledger;
    private final String prefix;

    /**
     * What all prefixes of one checkpoint share.
     *
     * @param names all names of the source, sorted, so that those with one prefix lie together
     */
    private record Ledger(TensorSource source, NavigableSet<String> names, Placement placement,
                          Set<String> read, List<String> faults) {
    }

    private Weights(Ledger ledger, String prefix) {
        this.ledger = ledger;
        this.prefix = prefix;
    }

    /**
     * @param source    seen through {@link QuantisedSource}
     * @param placement brings a tensor of the file to where the backend wants it, and owns its memory there
     */
    public static Weights of(TensorSource source, Placement placement) {
        TensorSource whole = QuantisedSource.of(source);
        return new Weights(new Ledger(whole, new TreeSet<>(whole.names()), placement, new HashSet<>(),
                new ArrayList<>()), "");
    }

    public Weights at(String name) {
        return new Weights(ledger, prefix + name + ".");
    }

    public Weights at(String name, int index) {
        return at(name).at(Integer.toString(index));
    }

    public boolean has(String name) {
        return ledger.source.shape(prefix + name) != null;
    }

    /** Number of consecutive entries {@code name.0.}, {@code name.1.}, ...: the depth of a stack of blocks. */
    public int count(String name) {
        int n = 0;
        while (anyStartsWith(prefix + name + "." + n + ".")) {
            n++;
        }
        return n;
    }

    private boolean anyStartsWith(String start) {
        String next = ledger.names.ceiling(start);
        return next != null && next.startsWith(start);
    }

    /**
     * The shape of a tensor from which configuration is derived, of a matrix in 4 bits the one before it was
     * quantised; fails at once when it is missing or empty.
     */
    public Shape shape(String name) {
        Shape shape = ledger.source.shape(prefix + name);
        if (shape == null || shape.size() == 0) {
            throw new InputException(ledger.source.origin() + ": the tensor " + prefix + name
                    + (shape == null ? " is missing" : " is " + shape)
                    + ", so the model's sizes cannot be told; is this the right file?");
        }
        return shape;
    }

    /** The same of a tensor that must have so many dimensions. */
    public Shape shape(String name, int rank) {
        Shape shape = shape(name);
        if (shape.rank() != rank) {
            throw new InputException(ledger.source.origin() + ": the tensor " + prefix + name + " is " + shape + "; "
                    + rank + " dimensions are expected");
        }
        return shape;
    }

    /** Loads a layer of a stack. */
    @FunctionalInterface
    public interface BlockLoader<T> {
        /**
         * @param weights those of the layer
         * @param index   of the layer
         */
        T load(Weights weights, int index);
    }

    /** A stack of {@code depth} layers, {@code name.0.}, {@code name.1.}, ... */
    public <T> WeightBlocks<T> blocks(String name, int depth, BlockLoader<T> loader) {
        return blocks(IntStream.range(0, depth).mapToObj(i -> at(name, i)).toList(), loader);
    }

    /**
     * Layers wherever they are.
     *
     * @param layers in the order in which they will run
     */
    public <T> WeightBlocks<T> blocks(List<Weights> layers, BlockLoader<T> loader) {
        List<T> blocks = new ArrayList<>();
        int first = Placement.NO_BLOCK;
        for (int i = 0; i < layers.size(); i++) {
            int number = ledger.placement.beginBlock();
            first = i == 0 ? number : first;
            blocks.add(loader.load(layers.get(i), i));
            ledger.placement.endBlock();
        }
        return new WeightBlocks<>(blocks, ledger.placement, first);
    }

    /** The floating-point tensor of that name and exactly that shape; a quantised one is expanded to float32. */
    public Tensor tensor(String name, int... dims) {
        return find(name, ledger.placement::tensor, dims);
    }

    /** The same, left where the file is mapped. */
    public Tensor onHost(String name, int... dims) {
        return find(name, UnaryOperator.identity(), dims);
    }

    /** The weight [cout, cin, k, k] of a convolution; see {@link Placement#kernels}. */
    public Tensor kernels(String name, int... dims) {
        return find(name, ledger.placement::kernels, dims);
    }

    private Tensor find(String name, UnaryOperator<Tensor> place, int... dims) {
        String full = prefix + name;
        Shape wanted = wanted(full, dims);
        if (!take(full, wanted)) {
            return placeholder(wanted);
        }
        Tensor found = ledger.source.find(full);
        if (found != null && !found.type().isFloat()) {
            ledger.faults.add(noFloat(full, found));
            return placeholder(wanted);
        }
        Weight weight = found != null ? null : ledger.source.weight(full);
        return found == null && weight == null ? placeholder(wanted)
                : place.apply(found != null ? found : expand(weight, wanted));
    }

    /** The matrix of that name, [rows, cols], as it is stored. */
    public Weight matrix(String name, int rows, int cols) {
        return matrix(name, rows, cols, ledger.placement::weight);
    }

    /** A table, [rows, cols], of which only some rows are read: it stays on the host. */
    public Weight table(String name, int rows, int cols) {
        return matrix(name, rows, cols, UnaryOperator.identity());
    }

    private Weight matrix(String name, int rows, int cols, UnaryOperator<Weight> place) {
        String full = prefix + name;
        Shape wanted = wanted(full, new int[] {rows, cols});
        Weight found = take(full, wanted) ? ledger.source.weight(full) : null;
        if (found != null) {
            return place.apply(found);
        }
        Tensor stored = ledger.source.find(full);
        if (stored != null && !stored.type().isFloat()) {
            ledger.faults.add(noFloat(full, stored));
        }
        return Weight.of(placeholder(wanted));
    }

    private String noFloat(String full, Tensor found) {
        return label(full) + " has type " + found.type() + (found.type() == DType.F64
                ? "; store it as F32, F16 or BF16" : ", not a floating-point type");
    }

    /** Marks what is asked for as read; notes a fault and answers false when it is not there in that shape. */
    private boolean take(String full, Shape wanted) {
        markRead(full);
        Shape shape = ledger.source.shape(full);
        // Of a matrix in several parts, this notes the faults of the parts.
        Weight weight = ledger.source.find(full) == null ? ledger.source.weight(full) : null;
        boolean noted = weight == null && ledger.source.faults().stream().anyMatch(fault -> fault.contains(full));
        if (shape == null && !noted) {
            ledger.faults.add("missing " + full + " " + wanted);
        } else if (shape != null && !shape.equals(wanted)) {
            ledger.faults.add(label(full) + " is " + shape + ", not " + wanted);
        }
        return wanted.equals(shape);
    }

    /** A tensor's name, with the file's own where that is another. */
    private String label(String full) {
        String stored = ledger.source.stored(full);
        return stored.equals(full) ? full : full + " (of " + stored + ")";
    }

    /** Quantised values where a plain tensor is needed, which is rare and small. */
    private static Tensor expand(Weight weight, Shape shape) {
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int r = 0; r < weight.rows(); r++) {
            weight.read(r, 0, weight.cols(), values, r * weight.cols());
        }
        return Tensor.of(values, shape.dims());
    }

    /** Marks a tensor that the model has but this computation does not need; its shape is checked all the same. */
    public void skip(String name, int... dims) {
        String full = prefix + name;
        Shape wanted = wanted(full, dims);
        if (ledger.source.shape(full) != null && !ledger.read.contains(full)) {
            take(full, wanted);
        }
    }

    /** Fails when anything asked for was not there as asked, or anything there was not asked for. */
    public void finish() {
        List<String> faults = new ArrayList<>(ledger.source.faults());
        faults.addAll(ledger.faults);
        for (String name : ledger.names) {
            if (!ledger.read.contains(name)) {
                faults.add("unknown " + InputException.shown(ledger.source.stored(name)) + " "
                        + ledger.source.shape(name));
            }
        }
        if (faults.isEmpty()) {
            return;
        }
        String shown = String.join("; ", faults.subList(0, Math.min(MOST_FAULTS_SHOWN, faults.size())));
        int hidden = faults.size() - MOST_FAULTS_SHOWN;
        throw new InputException(ledger.source.origin() + ": " + faults.size() + " tensor(s) do not fit the model: "
                + shown + (hidden > 0 ? "; and " + hidden + " more" : ""));
    }

    private void markRead(String full) {
        if (!ledger.read.add(full)) {
            throw new IllegalStateException("tensor " + full + " is read twice");
        }
    }

    /** Sizes come from other shapes of the same file, where absurd ones overflow what a tensor can have. */
    private Shape wanted(String full, int[] dims) {
        try {
            Shape shape = Shape.of(dims);
            Math.multiplyExact(shape.size(), DType.F32.bytes());
            return shape;
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new InputException(ledger.source.origin() + ": by the file's other sizes " + full + " would be "
                    + Arrays.toString(dims) + ", which cannot be; is this the right file?", e);
        }
    }

    private static Tensor placeholder(Shape shape) {
        return Tensor.of(Unreadable.nothing(), DType.F32, shape);
    }
}
