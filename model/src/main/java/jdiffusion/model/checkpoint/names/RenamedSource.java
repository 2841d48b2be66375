package jdiffusion.model.checkpoint.names;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/**
 * One component of another layout under diffusers' names. Parts of joined tensors are views of their rows; only
 * vectors whose halves change places and matrices that are turned are copied.
 */
public final class RenamedSource implements TensorSource {
    private final TensorSource source;
    private final Map<String, Place> places;
    private final Map<String, Tensor> copies = new HashMap<>();

    /**
     * Where a tensor lies.
     *
     * @param original full name in the source
     * @param from     the first of the {@code parts} equal runs of rows that are its own
     * @param to       the first after them
     */
    private record Place(String original, Mapped.Form form, int from, int to, int parts) {
        /** Whether it is the whole. */
        boolean whole() {
            return to - from == parts;
        }
    }

    private RenamedSource(TensorSource source, Map<String, Place> places) {
        this.source = source;
        this.places = places;
    }

    /**
     * @param source with quantised matrices already put together
     * @param prefix of the component's names in the source, often empty
     * @param all    relations of the component's names without that prefix
     * @throws InputException when two of the source's tensors would be one
     */
    public static RenamedSource of(TensorSource source, String prefix, List<Mapped> all) {
        Map<String, Place> places = new TreeMap<>();
        for (Mapped mapped : all) {
            for (int i = 0; i < mapped.names().size(); i++) {
                int from = mapped.before(i);
                Place place = new Place(prefix + mapped.original(), mapped.form(), from,
                        from + mapped.shares().get(i), mapped.parts());
                Place other = places.put(mapped.names().get(i), place);
                if (other != null) {
                    throw new InputException(source.origin() + ": the tensors " + InputException.shown(other.original)
                            + " and " + InputException.shown(place.original) + " both are "
                            + InputException.shown(mapped.names().get(i)) + "; the file mixes two layouts");
                }
            }
        }
        return new RenamedSource(source, Collections.unmodifiableMap(places));
    }

    @Override
    public String origin() {
        return source.origin();
    }

    @Override
    public Set<String> names() {
        return places.keySet();
    }

    @Override
    public Tensor find(String name) {
        Place place = places.get(name);
        Tensor tensor = place == null ? null : source.find(place.original);
        if (tensor == null) {
            return null;
        }
        return switch (place.form) {
            case CONVOLUTION, LEADING_ONE -> tensor.reshape(turned(place, tensor.shape()).dims());
            // A matrix of two parts is no single view: see weight.
            case TRANSPOSED -> tensor.shape().rank() == 2 && tensor.type().isFloat()
                    ? copies.computeIfAbsent(name, _ -> transposed(tensor)) : tensor;
            case SWAPPED -> tensor.shape().rank() == 1 ? copies.computeIfAbsent(name, _ -> swapped(tensor)) : null;
            case PLAIN -> !place.whole() && divides(place, tensor.shape())
                    ? tensor.slice(row(place, tensor.shape(), place.from), row(place, tensor.shape(), place.to))
                    : tensor;
        };
    }

    @Override
    public Weight weight(String name) {
        Place place = places.get(name);
        if (place == null) {
            return null;
        }
        if (place.form == Mapped.Form.TRANSPOSED) {
            Tensor tensor = find(name);
            Weight weight = tensor == null ? source.weight(place.original) : null;
            return weight != null ? Weight.of(copies.computeIfAbsent(name, _ -> transposed(weight)))
                    : tensor != null && tensor.shape().rank() == 2 && tensor.type().isFloat() ? Weight.of(tensor)
                    : null;
        }
        if (place.form == Mapped.Form.CONVOLUTION) {
            Tensor tensor = find(name);
            return tensor == null ? source.weight(place.original)
                    : tensor.shape().rank() == 2 && tensor.type().isFloat() ? Weight.of(tensor) : null;
        }
        Weight whole = source.weight(place.original);
        if (whole == null || place.form == Mapped.Form.LEADING_ONE
                || place.form == Mapped.Form.PLAIN && place.whole()) {
            return whole;
        }
        Shape shape = Shape.of(whole.rows(), whole.cols());
        try {
            if (place.form == Mapped.Form.SWAPPED) {
                int half = whole.rows() / 2;
                return half == 0 || whole.rows() % 2 != 0 ? whole
                        : Weight.rows(whole.slice(half, whole.rows()), whole.slice(0, half));
            }
            return divides(place, shape)
                    ? whole.slice(row(place, shape, place.from), row(place, shape, place.to)) : whole;
        } catch (InputException e) {
            throw new InputException(origin() + ": " + place.original + ": " + e.getMessage(), e);
        }
    }

    @Override
    public Shape shape(String name) {
        Place place = places.get(name);
        Shape shape = place == null ? null : source.shape(place.original);
        if (shape == null) {
            return null;
        }
        if (place.form != Mapped.Form.PLAIN) {
            return turned(place, shape);
        }
        if (place.whole() || !divides(place, shape)) {
            return shape;
        }
        int[] dims = shape.dims();
        dims[0] = row(place, shape, place.to) - row(place, shape, place.from);
        return Shape.of(dims);
    }

    @Override
    public String stored(String name) {
        Place place = places.get(name);
        return place == null ? name : source.stored(place.original);
    }

    @Override
    public List<String> faults() {
        return source.faults();
    }

    /** The shape that diffusers has; one that does not fit is left as it is, so that it is reported as wrong. */
    private static Shape turned(Place place, Shape shape) {
        return switch (place.form) {
            case CONVOLUTION -> shape.rank() == 4 && shape.dim(2) == 1 && shape.dim(3) == 1
                    ? Shape.of(shape.dim(0), shape.dim(1)) : shape;
            case LEADING_ONE -> shape.rank() == 2 ? Shape.of(1, shape.dim(0), shape.dim(1)) : shape;
            case TRANSPOSED -> shape.rank() == 2 ? Shape.of(shape.dim(1), shape.dim(0)) : shape;
            case PLAIN, SWAPPED -> shape;
        };
    }

    private static boolean divides(Place place, Shape shape) {
        return place.whole() || shape.rank() > 0 && shape.dim(0) % place.parts == 0;
    }

    /** First row of one of the equal runs. */
    private static int row(Place place, Shape shape, int run) {
        return shape.dim(0) / place.parts * run;
    }

    private static Tensor swapped(Tensor vector) {
        long half = vector.byteSize() / 2 / vector.type().bytes() * vector.type().bytes();
        long rest = vector.byteSize() - half;
        MemorySegment copy = Arena.ofAuto().allocate(Math.max(1, vector.byteSize()), Long.BYTES);
        MemorySegment.copy(vector.data(), half, copy, 0, rest);
        MemorySegment.copy(vector.data(), 0, copy, rest, half);
        return Tensor.of(copy, vector.type(), vector.shape());
    }

    private static Tensor transposed(Tensor matrix) {
        int rows = matrix.rows();
        int cols = matrix.cols();
        int bytes = matrix.type().bytes();
        MemorySegment from = matrix.data();
        MemorySegment copy = Arena.ofAuto().allocate(Math.max(1, matrix.byteSize()), Long.BYTES);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < cols; c++) {
                MemorySegment.copy(from, ((long) r * cols + c) * bytes, copy, ((long) c * rows + r) * bytes, bytes);
            }
        }
        return Tensor.of(copy, matrix.type(), Shape.of(cols, rows));
    }

    /** One that is stored quantised, in float32. */
    private static Tensor transposed(Weight matrix) {
        int rows = matrix.rows();
        float[] turned = new float[Math.multiplyExact(rows, matrix.cols())];
        float[] row = new float[matrix.cols()];
        for (int r = 0; r < rows; r++) {
            matrix.read(r, 0, row.length, row, 0);
            for (int c = 0; c < row.length; c++) {
                turned[c * rows + r] = row[c];
            }
        }
        return Tensor.of(turned, row.length, rows);
    }
}
