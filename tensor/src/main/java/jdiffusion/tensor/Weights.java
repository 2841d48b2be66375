package jdiffusion.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

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
     * @param placement brings a tensor of the file to where the backend wants it, and owns its memory there
     */
    public static Weights of(TensorSource source, Placement placement) {
        return new Weights(new Ledger(source, new TreeSet<>(source.names()), placement, new HashSet<>(),
                new ArrayList<>()), "");
    }

    public Weights at(String name) {
        return new Weights(ledger, prefix + name + ".");
    }

    public Weights at(String name, int index) {
        return at(name).at(Integer.toString(index));
    }

    public boolean has(String name) {
        return ledger.source.find(prefix + name) != null;
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
        Tensor tensor = ledger.source.find(prefix + name);
        FourBitReader quantised = FourBitReader.of(ledger.source, prefix + name);
        Shape shape = quantised != null ? quantised.shape() : tensor != null ? tensor.shape() : null;
        if (tensor == null || shape.size() == 0) {
            throw new InputException(ledger.source.origin() + ": the tensor " + prefix + name
                    + (tensor == null ? " is missing" : " is " + shape)
                    + ", so the model's sizes cannot be told; is this the right file?");
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
        List<T> blocks = new ArrayList<>();
        int first = Placement.NO_BLOCK;
        for (int i = 0; i < depth; i++) {
            int number = ledger.placement.beginBlock();
            first = i == 0 ? number : first;
            blocks.add(loader.load(at(name, i), i));
            ledger.placement.endBlock();
        }
        return new WeightBlocks<>(blocks, ledger.placement, first);
    }

    /** The floating-point tensor of that name and exactly that shape. */
    public Tensor tensor(String name, int... dims) {
        return find(name, ledger.placement::tensor, dims);
    }

    /** The weight [cout, cin, k, k] of a convolution; see {@link Placement#kernels}. */
    public Tensor kernels(String name, int... dims) {
        return find(name, ledger.placement::kernels, dims);
    }

    private Tensor find(String name, UnaryOperator<Tensor> place, int... dims) {
        String full = prefix + name;
        Shape wanted = wanted(full, dims);
        Tensor found = ledger.source.find(full);
        markRead(full);
        if (found == null) {
            ledger.faults.add("missing " + full + " " + wanted);
        } else if (!found.shape().equals(wanted)) {
            ledger.faults.add(full + " is " + found.shape() + ", not " + wanted);
        } else if (!found.type().isFloat()) {
            ledger.faults.add(full + " has type " + found.type() + ", not a floating-point type");
        } else {
            return place.apply(found);
        }
        return placeholder(wanted);
    }

    /** The matrix of that name, [rows, cols], as it is stored: dense, or in 4 bits with its parts beside it. */
    public Weight matrix(String name, int rows, int cols) {
        String full = prefix + name;
        FourBitReader quantised = FourBitReader.of(ledger.source, full);
        if (quantised == null) {
            return Weight.of(tensor(name, rows, cols));
        }
        Shape wanted = wanted(full, new int[] {rows, cols});
        Weight.FourBit found = quantised.read((part, type, size) -> part(part, type, size, ledger.placement::tensor));
        markRead(quantised.stateName());
        if (!quantised.shape().equals(wanted)) {
            ledger.faults.add(full + " is " + quantised.shape() + ", not " + wanted);
        } else if (found != null) {
            return found;
        }
        return Weight.of(placeholder(wanted));
    }

    /** A part of a quantised matrix as a vector; with no type given, its bytes. Null after a fault. */
    private Tensor part(String full, DType type, long size, UnaryOperator<Tensor> placement) {
        Tensor found = ledger.source.find(full);
        markRead(full);
        long elements = found == null ? 0 : type == null ? found.byteSize() : found.shape().size();
        String needed = size + (type == null ? " bytes" : " of type " + type);
        if (found == null) {
            ledger.faults.add("missing " + full + ", " + needed);
        } else if (elements != size || type != null && found.type() != type) {
            ledger.faults.add(full + " is " + found.type() + found.shape() + ", not " + needed);
        } else {
            return placement.apply(Tensor.of(found.data(), type == null ? DType.U8 : type,
                    Shape.of(Math.toIntExact(size))));
        }
        return null;
    }

    /** Marks a tensor that the model has but this computation does not need; its shape is checked all the same. */
    public void skip(String name, int... dims) {
        String full = prefix + name;
        Tensor found = ledger.source.find(full);
        Shape wanted = wanted(full, dims);
        if (found == null || ledger.read.contains(full)) {
            return;
        }
        FourBitReader quantised = FourBitReader.of(ledger.source, full);
        Shape shape = quantised == null ? found.shape() : quantised.shape();
        if (quantised == null) {
            markRead(full);
        } else {
            quantised.read((part, type, size) -> part(part, type, size, UnaryOperator.identity()));
            markRead(quantised.stateName());
        }
        if (!shape.equals(wanted)) {
            ledger.faults.add(full + " is " + shape + ", not " + wanted);
        }
    }

    /** Fails when anything asked for was not there as asked, or anything there was not asked for. */
    public void finish() {
        List<String> faults = new ArrayList<>(ledger.faults);
        for (String name : ledger.names) {
            if (!ledger.read.contains(name)) {
                faults.add("unknown " + InputException.shown(name) + " " + ledger.source.find(name).shape());
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
