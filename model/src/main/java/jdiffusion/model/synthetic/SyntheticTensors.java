package jdiffusion.model.synthetic;

import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.convert.Outgoing;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;

/** Random weights in memory, in the place of a component's files. */
public final class SyntheticTensors implements TensorSource, ModelFiles.Open {
    private static final String ORIGIN = "synthetic weights";
    private static final long ALIGNMENT = 64;

    private final Arena arena = Arena.ofShared();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final ConfigFile config;

    /**
     * Makes them all.
     *
     * @param list   of plain types
     * @param config of the component they are of
     */
    public SyntheticTensors(List<Outgoing> list, ConfigFile config) {
        this.config = config;
        try {
            for (Outgoing tensor : list) {
                Stored.Plain stored = (Stored.Plain) tensor.stored();
                var memory = arena.allocate(stored.byteSize(), ALIGNMENT);
                stored.bytes().readAll(memory);
                tensors.put(tensor.name(), Tensor.of(memory, stored.type(), tensor.shape()));
            }
        } catch (OutOfMemoryError e) {
            arena.close();
            throw new InputException("out of memory for " + list.stream().mapToLong(t -> t.stored().byteSize()).sum()
                    / (1 << 20) + " MiB of weights", e);
        }
    }

    /** Equal tensors {@code 0.weight}, {@code 1.weight}, ... of a product whose sums have {@code terms} terms. */
    public static SyntheticTensors equal(int count, int terms, DType type, int... dims) {
        TensorList list = new TensorList("", 1, type);
        for (int i = 0; i < count; i++) {
            list.normal(i + ".weight", 0, 1 / Math.sqrt(terms), dims);
        }
        return new SyntheticTensors(list.tensors(), ConfigFile.empty(ORIGIN));
    }

    @Override
    public String origin() {
        return ORIGIN;
    }

    @Override
    public Set<String> names() {
        return tensors.keySet();
    }

    @Override
    public Tensor find(String name) {
        return tensors.get(name);
    }

    @Override
    public TensorSource tensors() {
        return this;
    }

    @Override
    public ConfigFile config() {
        return config;
    }

    @Override
    public void close() {
        arena.close();
    }
}
