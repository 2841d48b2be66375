package jdiffusion.emulator.exec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.ptx.Type;

/**
 * A tensor in global memory and the box of it that bulk copies move at a time, as {@code cuTensorMapEncodeTiled} and
 * {@code cuTensorMapEncodeIm2col} of the stand-in driver (tensormap.h) write them down. Dimensions come with the one
 * that runs fastest first.
 *
 * @param address     of the first element
 * @param type        the driver's number of the elements' type
 * @param elementBytes 1, 2, 4 or 8
 * @param dims        sizes in elements
 * @param strides     in bytes; the first is the element's size
 * @param box         extent in elements; of im2col that of channels, and 0 else
 * @param steps       distance in elements between the elements of a box that are taken
 * @param swizzle     bits of the address of a chunk that are exchanged: 0 to 3
 * @param fill        what stands where the box lies outside the tensor, as 32 bits
 * @param columns     null where boxes are tiles
 */
record TensorMap(long address, int type, int elementBytes, long[] dims, long[] strides, int[] box, int[] steps,
        int swizzle, int fill, Im2col columns) {
    /** Size of an encoded map. */
    static final int BYTES = 128;
    private static final int ALIGNMENT = 64;
    /** Boxes in shared memory start at multiples of this. */
    private static final int BOX_ALIGNMENT = 128;
    private static final long MAGIC = 0x3150414d54494444L;
    private static final int[] ELEMENT_BYTES = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    /** Types of numbers that reductions know, as far as there are such. */
    private static final Type[] TYPES = {Type.U8, Type.U16, Type.U32, Type.S32, Type.U64, Type.S64, Type.F16, Type.F32,
        Type.F64, Type.BF16, Type.F32};
    private static final int FLOAT16 = 6;
    private static final int BFLOAT16 = 9;
    private static final int NAN_HALVES = 0x7fff7fff;
    private static final int NAN_FLOAT = 0x7fffffff;

    private static final int MOST_RANK = 5;
    private static final int MOST_BOX = 256;
    private static final int MOST_STEP = 8;
    private static final int MOST_PIXELS = 1024;

    // Where what stands in an encoded map.
    private static final int AT_ADDRESS = 8;
    private static final int AT_DIMS = 16;
    private static final int AT_TYPE = 36;
    private static final int AT_RANK = 37;
    private static final int AT_SWIZZLE = 39;
    private static final int AT_FILL = 41;
    private static final int AT_PIXELS = 42;
    private static final int AT_BOX = 44;
    private static final int AT_STEPS = 54;
    private static final int AT_STRIDES = 64;
    private static final int AT_LOWER = 96;
    private static final int AT_UPPER = 104;

    /** Reads the map at a generic address, in the kernel's parameters or in memory. */
    static TensorMap read(Warp w, int lane, int site, long address) {
        MemorySegment map;
        if ((address & -GenericMemory.WINDOW) == GenericMemory.PARAMETERS) {
            long offset = address - GenericMemory.PARAMETERS;
            byte[] parameters = w.block.parameters();
            if (offset > parameters.length - BYTES) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                        "a tensor map at byte %d of %d bytes of parameters".formatted(offset, parameters.length));
            }
            map = MemorySegment.ofArray(parameters).asSlice(offset, BYTES);
        } else {
            GlobalMemory.checkRange(w, lane, site, address, BYTES, false);
            map = GlobalMemory.all().asSlice(address, BYTES);
        }
        if (address % ALIGNMENT != 0) {
            throw w.block.fault(Kind.MISALIGNED, site, w, lane, "the tensor map at 0x%x is not at a multiple of %d"
                    .formatted(address, ALIGNMENT));
        }
        if (map.get(ValueLayout.JAVA_LONG_UNALIGNED, 0) != MAGIC) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, ("no tensor map is at 0x%x; cuTensorMapEncodeTiled"
                    + " and cuTensorMapEncodeIm2col make them").formatted(address));
        }
        if (!isWhole(map)) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "the tensor map at 0x%x has been overwritten since it was made".formatted(address));
        }
        return decode(map);
    }

    /** Whether an encoded map has numbers that the driver writes. */
    private static boolean isWhole(MemorySegment map) {
        int type = map.get(ValueLayout.JAVA_BYTE, AT_TYPE);
        int rank = map.get(ValueLayout.JAVA_BYTE, AT_RANK);
        int pixels = map.get(ValueLayout.JAVA_SHORT_UNALIGNED, AT_PIXELS);
        boolean whole = type >= 0 && type < ELEMENT_BYTES.length && rank >= (pixels == 0 ? 1 : 3) && rank <= MOST_RANK
                && pixels >= 0 && pixels <= MOST_PIXELS;
        for (int i = 0; whole && i < rank; i++) {
            int box = map.get(ValueLayout.JAVA_SHORT_UNALIGNED, AT_BOX + 2L * i);
            int step = map.get(ValueLayout.JAVA_BYTE, AT_STEPS + i);
            whole = box >= (pixels == 0 || i == 0 ? 1 : 0) && box <= MOST_BOX && step >= 1 && step <= MOST_STEP;
        }
        return whole;
    }

    private static TensorMap decode(MemorySegment map) {
        int type = map.get(ValueLayout.JAVA_BYTE, AT_TYPE);
        int rank = map.get(ValueLayout.JAVA_BYTE, AT_RANK);
        long[] dims = new long[rank];
        long[] strides = new long[rank];
        int[] box = new int[rank];
        int[] steps = new int[rank];
        for (int i = 0; i < rank; i++) {
            dims[i] = (map.get(ValueLayout.JAVA_INT_UNALIGNED, AT_DIMS + 4L * i) & 0xffffffffL) + 1;
            strides[i] = i == 0 ? ELEMENT_BYTES[type]
                    : map.get(ValueLayout.JAVA_LONG_UNALIGNED, AT_STRIDES + 8L * (i - 1));
            box[i] = map.get(ValueLayout.JAVA_SHORT_UNALIGNED, AT_BOX + 2L * i);
            steps[i] = i == 0 ? 1 : map.get(ValueLayout.JAVA_BYTE, AT_STEPS + i);
        }
        boolean nan = map.get(ValueLayout.JAVA_BYTE, AT_FILL) != 0;
        return new TensorMap(map.get(ValueLayout.JAVA_LONG_UNALIGNED, AT_ADDRESS), type, ELEMENT_BYTES[type], dims,
                strides, box, steps, map.get(ValueLayout.JAVA_BYTE, AT_SWIZZLE),
                !nan ? 0 : type == FLOAT16 || type == BFLOAT16 ? NAN_HALVES : NAN_FLOAT, columns(map, rank));
    }

    private static Im2col columns(MemorySegment map, int rank) {
        int pixels = map.get(ValueLayout.JAVA_SHORT_UNALIGNED, AT_PIXELS);
        int[] lower = new int[rank - 1];
        int[] upper = new int[rank - 1];
        for (int i = 0; i < rank - 2; i++) {
            lower[i] = map.get(ValueLayout.JAVA_SHORT_UNALIGNED, AT_LOWER + 2L * i);
            upper[i] = map.get(ValueLayout.JAVA_SHORT_UNALIGNED, AT_UPPER + 2L * i);
        }
        return pixels == 0 ? null : new Im2col(pixels, lower, upper);
    }

    /** How boxes are combined with what is in the tensor, by the number of an operation. */
    Reduction reduction(Warp w, int lane, int site, int number) {
        Reduction reduction = Reduction.of(number, type < TYPES.length ? TYPES[type] : null);
        if (reduction == null) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "numbers of the tensor map's type %d cannot be combined so".formatted(type));
        }
        return reduction;
    }

    /** Where chunk {@code at} of a pattern of that many bits lies: its place is exchanged by its line of 128 bytes. */
    static long swizzled(long at, int bits) {
        return at ^ (at >> 7 & (1 << bits) - 1) << 4;
    }

    /**
     * The chunks of the box whose first element has the given coordinates, which may lie outside the tensor.
     *
     * @param shared where the box lies in shared memory
     * @param mode   one of {@link Im2col}'s
     * @param slots  of the coordinates and offsets
     */
    Chunks box(Warp w, int lane, int site, long shared, int mode, int[] slots, boolean write) {
        if (mode == Im2col.TILE != (columns == null)) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "the tensor map is of cuTensorMapEncode%s, and the instruction's mode %s".formatted(
                            columns == null ? "Tiled" : "Im2col", columns == null ? "im2col" : "tile"));
        }
        int rank = mode == Im2col.OFFSETS ? (slots.length + 2) / 2 : slots.length;
        if (rank != dims.length) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "%d coordinates for a tensor map of %d dimensions".formatted(rank, dims.length));
        }
        if (shared % BOX_ALIGNMENT != 0) {
            throw w.block.fault(Kind.MISALIGNED, site, w, lane,
                    "the box at shared address %d is not at a multiple of %d".formatted(shared, BOX_ALIGNMENT));
        }
        int[] start = new int[rank];
        int[] offsets = new int[rank];
        for (int i = 0; i < slots.length; i++) {
            if (i < rank) {
                start[i] = w.r[slots[i] + lane];
            } else {
                offsets[i - rank] = w.r[slots[i] + lane] & 0xffff;
            }
        }
        long[][] lines = columns != null ? columns.column(w, lane, site, start, offsets, dims, steps) : lines(start);
        int lineBytes = box[0] * elementBytes;
        var chunks = new Chunks(lines.length * lineBytes / Chunks.BYTES, fill);
        for (int line = 0; line < lines.length; line++) {
            line(w, lane, site, chunks, shared + (long) line * lineBytes, start[0], lines[line], write);
        }
        return chunks;
    }

    /** The coordinates of the lines of a tile. */
    private long[][] lines(int[] start) {
        int count = 1;
        for (int i = 1; i < dims.length; i++) {
            count *= Math.ceilDiv(box[i], steps[i]);
        }
        long[][] lines = new long[count][dims.length];
        for (int line = 0; line < count; line++) {
            for (int i = 1, rest = line; i < dims.length; i++) {
                int taken = Math.ceilDiv(box[i], steps[i]);
                lines[line][i] = start[i] + (long) (rest % taken) * steps[i];
                rest /= taken;
            }
        }
        return lines;
    }

    private void line(Warp w, int lane, int site, Chunks chunks, long shared, int start, long[] coordinates,
            boolean write) {
        long at = address;
        boolean inside = true;
        for (int i = 1; i < dims.length; i++) {
            inside &= coordinates[i] >= 0 && coordinates[i] < dims[i];
            at += coordinates[i] * strides[i];
        }
        long first = Math.clamp(start, 0, dims[0]);
        long last = inside ? Math.clamp((long) start + box[0], first, dims[0]) : first;
        if (last > first) {
            GlobalMemory.checkRange(w, lane, site, at + first * elementBytes, (last - first) * elementBytes, write);
        }
        long begin = (first - start) * elementBytes;
        long end = (last - start) * elementBytes;
        for (int i = 0; i < box[0] * elementBytes; i += Chunks.BYTES) {
            int from = Math.clamp(begin - i, 0, Chunks.BYTES);
            int to = Math.clamp(end - i, from, Chunks.BYTES);
            chunks.add(swizzled(shared + i, swizzle), at + (long) start * elementBytes + i, from, to);
        }
    }
}
