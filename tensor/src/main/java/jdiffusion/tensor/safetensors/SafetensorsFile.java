package jdiffusion.tensor.safetensors;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;

/**
 * One safetensors file, mapped into memory: its tensors are views of the file's own pages, read when first touched.
 *
 * <p>The views die with {@link #close()}. The file must not be cut while it is open.
 */
public final class SafetensorsFile implements TensorSource, AutoCloseable {
    private final String origin;
    private final Arena arena;
    private final Map<String, String> metadata;
    private final Map<String, Tensor> tensors;

    private SafetensorsFile(String origin, Arena arena, Map<String, String> metadata, Map<String, Tensor> tensors) {
        this.origin = origin;
        this.arena = arena;
        this.metadata = metadata;
        this.tensors = tensors;
    }

    /**
     * Maps the file and checks its header against its size.
     *
     * @throws jdiffusion.tensor.InputException when there is no such file or it is not a whole safetensors file
     */
    public static SafetensorsFile open(Path path) {
        Arena arena = Arena.ofShared();
        boolean opened = false;
        try {
            MemorySegment file = InputFile.map(path, arena);
            SafetensorsHeader header = SafetensorsHeader.parse(path.toString(), file);
            Map<String, Tensor> tensors = new TreeMap<>();
            header.tensors().forEach((name, entry) -> tensors.put(name, Tensor.of(
                    file.asSlice(header.dataStart() + entry.begin(), entry.end() - entry.begin()),
                    entry.type(), entry.shape())));
            opened = true;
            return new SafetensorsFile(path.toString(), arena, header.metadata(),
                    Collections.unmodifiableMap(tensors));
        } finally {
            if (!opened) {
                arena.close();
            }
        }
    }

    /** The free text that the file carries about itself, sorted by key; often only {@code format=pt}. */
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public String origin() {
        return origin;
    }

    /** In the order of {@link String#compareTo}. */
    @Override
    public Set<String> names() {
        return tensors.keySet();
    }

    @Override
    public Tensor find(String name) {
        return tensors.get(name);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
