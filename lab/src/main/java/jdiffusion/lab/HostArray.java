package jdiffusion.lab;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * An array in memory that kernels may be given.
 *
 * @param shape lengths, slowest dimension first; empty for one element
 * @param data elements without gaps, the last dimension fastest
 */
record HostArray(DataType type, long[] shape, MemorySegment data) {

    /** Zeros, aligned as CUDA's allocations are. */
    static HostArray zeros(DataType type, long[] shape, Arena arena) {
        long bytes;
        try {
            bytes = Math.multiplyExact(count(shape), type.bytes());
        } catch (ArithmeticException e) {
            throw LabException.misuse("an array of " + text(shape) + " " + type.label()
                    + " is beyond any memory; between 1 byte and 2 GiB can be used", e);
        }
        if (bytes == 0 || bytes > 1L << 31) {
            throw LabException.misuse("an array of " + text(shape) + " " + type.label() + " has " + bytes
                    + " bytes; between 1 and 2 GiB can be used");
        }
        return new HostArray(type, shape, arena.allocate(bytes, 256));
    }

    long count() {
        return count(shape);
    }

    private static long count(long[] shape) {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }

    double get(long index) {
        return type.get(data, index);
    }

    /** A copy of the elements as they are now. */
    HostArray copy(Arena arena) {
        HostArray copy = zeros(type, shape, arena);
        copy.data.copyFrom(data);
        return copy;
    }

    /** Such as {@code 64x32}. */
    String shapeText() {
        return text(shape);
    }

    private static String text(long[] shape) {
        return shape.length == 0 ? "1" : Arrays.stream(shape).mapToObj(Long::toString).collect(Collectors.joining("x"));
    }
}
