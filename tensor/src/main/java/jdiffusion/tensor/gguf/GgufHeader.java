package jdiffusion.tensor.gguf;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;

/**
 * The header of a GGUF file: magic, version, metadata, then where each tensor lies; the data begin at the next
 * multiple of the alignment. By {@code docs/gguf.md} of the ggml project, versions 2 and 3, little-endian.
 *
 * <p>A tensor that this class lets through lies inside the file and overlaps with no other. What is allocated is
 * bounded by the header's real size, never by a number in it.
 */
record GgufHeader(GgufMetadata metadata, Map<String, Entry> tensors) {
    /** "GGUF". */
    static final int MAGIC = 0x46554747;
    static final int DEFAULT_ALIGNMENT = 32;
    static final int MOST_DIMENSIONS = 4;
    private static final int OLDEST = 2;
    static final int NEWEST = 3;
    /** Lengths of an empty name, number of dimensions, type and offset. */
    private static final int LEAST_ENTRY = 24;

    /**
     * A tensor: bytes {@code begin} (included) to {@code end} (excluded) of the file.
     *
     * @param plain  the type of elements stored one by one, else null
     * @param blocks the format of elements stored in blocks, else null
     */
    record Entry(DType plain, BlockFormat blocks, Shape shape, long begin, long end) {
    }

    /** What a file says of a tensor. */
    private record Stored(String name, long[] dims, int type, long offset) {
        String shown() {
            return "tensor " + InputException.shown(name);
        }
    }

    static GgufHeader parse(String origin, MemorySegment file) {
        GgufInput in = new GgufInput(origin, file);
        checkVersion(in);
        int tensorCount = in.keptCount(LEAST_ENTRY, "tensors");
        GgufMetadata metadata = GgufMetadata.read(in);
        List<Stored> stored = new ArrayList<>();
        for (int i = 0; i < tensorCount; i++) {
            stored.add(readTensor(in));
        }
        int alignment = metadata.alignment();
        long dataStart = Math.ceilDiv(in.position(), alignment) * alignment;
        Map<String, Entry> tensors = new TreeMap<>();
        for (Stored tensor : stored) {
            if (tensors.put(tensor.name, entry(in, tensor, alignment, dataStart)) != null) {
                throw in.fault(tensor.shown() + " is there twice");
            }
        }
        checkOverlap(in, tensors);
        return new GgufHeader(metadata, tensors);
    }

    private static void checkVersion(GgufInput in) {
        if (in.fileSize() < 24) {
            throw new InputException(in.origin() + ": has " + in.fileSize() + " bytes, too few for a GGUF file, whose"
                    + " header has at least 24; download it again");
        }
        int magic = in.int32("the magic");
        if (magic != MAGIC) {
            throw new InputException(in.origin() + ": is not a GGUF file: it starts with the bytes "
                    + String.format("%08x, not %08x", Integer.reverseBytes(magic), Integer.reverseBytes(MAGIC))
                    + " (GGUF); check the name, or download it again");
        }
        int version = in.int32("the version");
        if (version < OLDEST || version > NEWEST) {
            // A big-endian file has the bytes of its version the other way round.
            boolean swapped = version != 0 && (version & 0xffff) == 0;
            throw new InputException(in.origin() + ": is a GGUF file "
                    + (swapped ? "for big-endian machines" : "of version " + Integer.toUnsignedString(version))
                    + ", but little-endian ones of versions " + OLDEST + " and " + NEWEST
                    + " can be read; convert the model again with a current program");
        }
    }

    private static Stored readTensor(GgufInput in) {
        String name = in.text("the name of a tensor");
        String of = " of tensor " + InputException.shown(name);
        int rank = in.int32("the number of dimensions" + of);
        if (rank < 0 || rank > MOST_DIMENSIONS) {
            throw in.fault("tensor " + InputException.shown(name) + " has " + Integer.toUnsignedString(rank)
                    + " dimensions, but the format allows " + MOST_DIMENSIONS);
        }
        long[] dims = new long[rank];
        for (int i = rank - 1; i >= 0; i--) {
            dims[i] = in.int64("the shape" + of);
        }
        return new Stored(name, dims, in.int32("the type" + of), in.int64("the offset" + of));
    }

    private static Entry entry(GgufInput in, Stored tensor, int alignment, long dataStart) {
        DType plain = GgmlType.plain(tensor.type);
        BlockFormat blocks = BlockFormat.of(tensor.type);
        if (plain == null && blocks == null) {
            throw new InputException(in.origin() + ": " + tensor.shown() + " is stored as "
                    + GgmlType.name(tensor.type) + ", which cannot be read; use a file in F32, F16, BF16, Q8_0, Q4_0,"
                    + " Q4_1, Q5_0, Q5_1 or Q2_K to Q6_K");
        }
        Shape shape = shape(in, tensor, plain, blocks);
        if (blocks != null && (shape.rank() == 0 || shape.cols() % blocks.blockSize() != 0)) {
            throw in.fault(tensor.shown() + " has rows of " + shape.cols() + " elements, not whole " + blocks
                    + " blocks of " + blocks.blockSize());
        }
        long size = plain != null ? shape.size() * plain.bytes()
                : shape.size() / blocks.blockSize() * blocks.blockBytes();
        long room = in.fileSize() - dataStart;
        if (tensor.offset < 0 || tensor.offset % alignment != 0) {
            throw in.fault(tensor.shown() + " has the offset " + Long.toUnsignedString(tensor.offset)
                    + ", which is no multiple of the alignment " + alignment);
        }
        // An empty tensor at the end may have its place past the last byte, where the padding would end.
        if (size > 0 && (size > room || tensor.offset > room - size)) {
            throw new InputException(in.origin() + ": is cut short or damaged: " + tensor.shown() + ", "
                    + GgmlType.name(tensor.type) + shape + ", needs " + size + " bytes at offset " + tensor.offset
                    + " of the data, but the file has " + Math.max(0, room) + " bytes of data; download it again");
        }
        long begin = size == 0 ? 0 : dataStart + tensor.offset;
        return new Entry(plain, blocks, shape, begin, begin + size);
    }

    private static Shape shape(GgufInput in, Stored tensor, DType plain, BlockFormat blocks) {
        try {
            for (long dim : tensor.dims) {
                if (dim < 0) {
                    throw new ArithmeticException("past the largest long");
                }
            }
            // No block has more than two bytes an element, so neither a row nor the whole overflows in bytes.
            Shape shape = Shape.ofStored(tensor.dims, plain != null ? plain.bytes() : 2);
            if (blocks != null) {
                Math.multiplyExact(shape.cols(), 2);
            }
            return shape;
        } catch (ArithmeticException e) {
            StringBuilder dims = new StringBuilder();
            for (long dim : tensor.dims) {
                dims.append(dims.isEmpty() ? "" : ", ").append(Long.toUnsignedString(dim));
            }
            throw in.fault(tensor.shown() + " has the shape [" + dims
                    + "], larger than the 2^31 - 1 rows of 2^31 - 1 elements that are possible");
        }
    }

    private static void checkOverlap(GgufInput in, Map<String, Entry> tensors) {
        List<Map.Entry<String, Entry>> byOffset = new ArrayList<>(tensors.entrySet());
        byOffset.sort(Comparator.comparingLong(tensor -> tensor.getValue().begin()));
        Map.Entry<String, Entry> before = null;
        for (Map.Entry<String, Entry> next : byOffset) {
            if (next.getValue().shape().size() == 0) {
                continue;
            }
            if (before != null && next.getValue().begin() < before.getValue().end()) {
                throw in.fault("tensor " + InputException.shown(next.getKey()) + " begins at byte "
                        + next.getValue().begin() + " of the file, but tensor "
                        + InputException.shown(before.getKey()) + " ends at " + before.getValue().end());
            }
            before = next;
        }
    }
}
