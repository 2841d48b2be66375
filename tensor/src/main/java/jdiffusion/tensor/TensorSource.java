package jdiffusion.tensor;

import java.util.List;
import java.util.Set;

/** Named tensors of a checkpoint: one file, several shards, or a renaming of another source. */
public interface TensorSource {
    /** Where the tensors come from, for error messages: a file or folder. */
    String origin();

    Set<String> names();

    /**
     * The tensor of that name, a view of memory that this source owns; null when there is none, or when it is a
     * matrix that is stored otherwise: see {@link #weight}.
     */
    Tensor find(String name);

    /**
     * The matrix of that name, however it is stored; null when there is none. Tensors of other ranks that are stored
     * quantised are matrices here, their last dimension the columns.
     */
    default Weight weight(String name) {
        Tensor tensor = find(name);
        return tensor == null || tensor.shape().rank() != 2 || !tensor.type().isFloat() ? null : Weight.of(tensor);
    }

    /** The shape of what has that name, of quantised tensors that before they were quantised; null for none. */
    default Shape shape(String name) {
        Tensor tensor = find(name);
        if (tensor != null) {
            return tensor.shape();
        }
        Weight weight = weight(name);
        return weight == null ? null : Shape.of(weight.rows(), weight.cols());
    }

    /** What the file itself calls the tensor of that name, for error messages. */
    default String stored(String name) {
        return name;
    }

    /** What is wrong with matrices that {@link #weight} was asked for and could not put together. */
    default List<String> faults() {
        return List.of();
    }

    /** Bytes of all tensors. */
    default long byteSize() {
        long sum = 0;
        for (String name : names()) {
            Tensor tensor = find(name);
            Weight weight = tensor == null ? weight(name) : null;
            sum += tensor != null ? tensor.byteSize() : weight != null ? weight.byteSize() : 0;
        }
        return sum;
    }
}
