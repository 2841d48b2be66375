package jdiffusion.kernels.linear;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.cpu.Codes;
import jdiffusion.kernels.cpu.Mapped;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdiffusion.tensor.FourBitWeight;

/** Elements of a {@link FourBitWeight} on the CPU, to the bit those that bitsandbytes dequantises to in float32. */
final class CpuFourBit {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private CpuFourBit() {
    }

    /** Elements {@code from} to {@code from + count} of a row into {@code to}. */
    static void run(FourBitWeight w, int row, int from, int count, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        MemorySegment codes = w.codes().data();
        MemorySegment map = w.map().data();
        long first = (long) row * w.cols() + from;
        long end = first + count;
        Mapped.touch(codes, first / 2, (end + 1) / 2 - first / 2);
        Mapped.touch(map, 0, map.byteSize());
        long element = first;
        int out = at;
        while (element < end) {
            long block = element / w.blockSize();
            float scale = scale(w, block);
            int n = (int) (Math.min(end, (block + 1) * w.blockSize()) - element);
            // Where cols is odd a row may begin in the middle of a byte.
            int head = (int) Math.min(element & 1, n);
            int whole = (n - head) / Codes.RUN * Codes.RUN;
            one(codes, map, scale, element, head, to, out);
            Codes.lookUp(vectors, codes, element + head >> 1, map, scale, to, out + head, whole);
            one(codes, map, scale, element + head + whole, n - head - whole, to, out + head + whole);
            element += n;
            out += n;
        }
    }

    /** What the values of a block are multiplied by. */
    static float scale(FourBitWeight w, long block) {
        FourBitWeight.Nested nested = w.nested();
        if (nested == null) {
            return w.absmax().data().get(FLOAT, block * 4);
        }
        int code = w.absmax().data().get(ValueLayout.JAVA_BYTE, block) & 0xff;
        float product = nested.map().data().get(FLOAT, code * 4L)
                * nested.absmax().data().get(FLOAT, block / nested.blockSize() * 4);
        return product + nested.offset();
    }

    private static void one(MemorySegment codes, MemorySegment map, float scale, long element, int n, float[] to,
                            int at) {
        for (int i = 0; i < n; i++) {
            long e = element + i;
            int two = codes.get(ValueLayout.JAVA_BYTE, e >> 1);
            int code = ((e & 1) == 0 ? two >> 4 : two) & 0xf;
            to[at + i] = map.get(FLOAT, code * 4L) * scale;
        }
    }
}
