package jdiffusion.tensor;

import java.util.Set;

/** Named tensors of a checkpoint: one file, several shards, or a renaming of another source. */
public interface TensorSource {
    /** Where the tensors come from, for error messages: a file or folder. */
    String origin();

    Set<String> names();

    /** The tensor of that name, a view of memory that this source owns; null when there is none. */
    Tensor find(String name);

    /** Bytes of all tensors. */
    default long byteSize() {
        long sum = 0;
        for (String name : names()) {
            sum += find(name).byteSize();
        }
        return sum;
    }
}
