package jdiffusion.tensor.gguf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/**
 * One GGUF file, mapped into memory: its tensors are views of the file's own pages, read when first touched.
 *
 * <p>Tensors of plain types are found by {@link #find}, those in blocks by {@link #weight}. A GGUF tensor has at most
 * four dimensions, and programs built on ggml drop outer dimensions of 1, so that [1, 4096, 1536] becomes
 * [4096, 1536]. Where city96's converter had to cut rows otherwise for the sake of blocks, it kept the shape in
 * {@code comfy.gguf.orig_shape.NAME}, which then holds; rows that are no whole blocks are expanded to float32.
 *
 * <p>The views die with {@link #close()}. The file must not be cut while it is open.
 */
public final class GgufFile implements TensorSource, AutoCloseable {
    private static final String ORIGINAL_SHAPE = "comfy.gguf.orig_shape.";

    private final String origin;
    private final Arena arena;
    private final MemorySegment file;
    private final GgufMetadata metadata;
    private final Map<String, GgufHeader.Entry> entries;
    private final Map<String, Shape> shapes = new TreeMap<>();
    private final Map<String, Tensor> expanded = new ConcurrentHashMap<>();

    GgufFile(String origin, Arena arena, MemorySegment file, GgufHeader header) {
        this.origin = origin;
        this.arena = arena;
        this.file = file;
        metadata = header.metadata();
        entries = header.tensors();
        entries.forEach((name, entry) -> shapes.put(name, originalShape(name, entry.shape())));
    }

    /**
     * Maps the file and checks its header against its size.
     *
     * @throws InputException when there is no such file or it is not a whole GGUF file that can be read here
     */
    public static GgufFile open(Path path) {
        Arena arena = Arena.ofShared();
        boolean opened = false;
        try {
            MemorySegment file = InputFile.map(path, arena);
            GgufFile gguf = new GgufFile(path.toString(), arena, file, GgufHeader.parse(path.toString(), file));
            opened = true;
            return gguf;
        } finally {
            if (!opened) {
                arena.close();
            }
        }
    }

    private Shape originalShape(String name, Shape stored) {
        long[] dims = metadata.lists().get(ORIGINAL_SHAPE + name);
        if (dims == null) {
            return stored;
        }
        String fault = origin + ": is damaged: tensor " + InputException.shown(name) + " is " + stored + ", but "
                + ORIGINAL_SHAPE + " gives it the shape " + Arrays.toString(dims) + "; download it again";
        try {
            Shape shape = Shape.ofStored(dims, Float.BYTES);
            // An array, which a tensor may have to be expanded to, has at most 2^31 - 1 elements.
            if (shape.size() == stored.size() && shape.size() <= Integer.MAX_VALUE) {
                return shape;
            }
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new InputException(fault, e);
        }
        throw new InputException(fault);
    }

    /** A text that the file says about itself, such as {@code general.architecture}. */
    public Optional<String> text(String key) {
        return Optional.ofNullable(metadata.texts().get(key));
    }

    /** An integer, or a truth value as 0 or 1, that the file says about itself; one of 64 bits may be unsigned. */
    public OptionalLong number(String key) {
        Long number = metadata.numbers().get(key);
        return number == null ? OptionalLong.empty() : OptionalLong.of(number);
    }

    /** All texts that the file says about itself, sorted by key. */
    public Map<String, String> texts() {
        return Collections.unmodifiableMap(metadata.texts());
    }

    /**
     * An array of texts that the file carries, such as {@code tokenizer.ggml.tokens}, read anew with each call.
     *
     * @return nothing when there is no array of that name, or one of another type
     */
    public Optional<List<String>> textArray(String key) {
        return array(key, GgufMetadata::textArray);
    }

    /** The same of an array of numbers, whatever their type. */
    public Optional<double[]> numberArray(String key) {
        return array(key, GgufMetadata::numberArray);
    }

    private <T> Optional<T> array(String key, BiFunction<GgufInput, String, T> read) {
        Long place = metadata.arrays().get(key);
        return place == null ? Optional.empty() : Optional.ofNullable(read.apply(
                new GgufInput(origin, file).at(place), "the metadata " + InputException.shown(key)));
    }

    @Override
    public String origin() {
        return origin;
    }

    /** In the order of {@link String#compareTo}. */
    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    @Override
    public Tensor find(String name) {
        GgufHeader.Entry entry = entries.get(name);
        if (entry == null || isInBlocks(name)) {
            return null;
        }
        return entry.plain() != null ? Tensor.of(data(entry), entry.plain(), shapes.get(name))
                : expanded.computeIfAbsent(name, this::expand);
    }

    @Override
    public Weight weight(String name) {
        GgufHeader.Entry entry = entries.get(name);
        return entry != null && isInBlocks(name) ? blocks(entry, shapes.get(name)) : TensorSource.super.weight(name);
    }

    @Override
    public Shape shape(String name) {
        return shapes.get(name);
    }

    /** The format of a tensor's blocks; null when it has none. */
    public BlockFormat format(String name) {
        GgufHeader.Entry entry = entries.get(name);
        return entry == null ? null : entry.blocks();
    }

    /** Whether a tensor's rows are whole blocks. */
    private boolean isInBlocks(String name) {
        BlockFormat format = entries.get(name).blocks();
        return format != null && shapes.get(name).rank() > 0 && shapes.get(name).cols() % format.blockSize() == 0;
    }

    private MemorySegment data(GgufHeader.Entry entry) {
        return file.asSlice(entry.begin(), entry.end() - entry.begin());
    }

    private Weight.Blocks blocks(GgufHeader.Entry entry, Shape shape) {
        int rows = shape.size() == 0 ? 0 : shape.rows();
        int rowBytes = Math.toIntExact(entry.blocks().rowBytes(shape.cols()));
        return new Weight.Blocks(shape.cols(), entry.blocks(),
                Tensor.of(data(entry), DType.U8, Shape.of(rows, rowBytes)));
    }

    private Tensor expand(String name) {
        Weight.Blocks stored = blocks(entries.get(name), entries.get(name).shape());
        float[] values = new float[Math.toIntExact(shapes.get(name).size())];
        for (int r = 0; r < stored.rows(); r++) {
            stored.read(r, 0, stored.cols(), values, r * stored.cols());
        }
        return Tensor.of(values, shapes.get(name).dims());
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
