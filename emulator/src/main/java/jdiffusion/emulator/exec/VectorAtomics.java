package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/**
 * {@code atom} and {@code red} of vectors, from compute capability 9.0 on: each lane updates several numbers that lie
 * side by side in global memory. Each number is updated atomically, and the vector as a whole is not.
 */
final class VectorAtomics {

    private VectorAtomics() {}

    /**
     * Lane after lane, each its numbers in order.
     *
     * @param bytes of a number: 2 or 4
     * @param b     slots of what is combined with the numbers in memory
     * @param d     slots of these as they were before; of none where that is not kept
     */
    static void global(Warp w, int mask, int site, int operation, int bytes, int[] b, int[] d) {
        GlobalMemory.check(w, mask, site, bytes * b.length, true);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int[] old = new int[d.length];
            for (int i = 0; i < b.length; i++) {
                long at = w.address[lane] + (long) bytes * i;
                int value = w.r[b[i] + lane];
                int before = bytes == Short.BYTES ? Atomics.update16(at, operation, value, 0)
                        : Atomics.update32(at, operation, value, 0);
                if (d.length > 0) {
                    old[i] = before;
                }
            }
            // Registers may be both: the old values come last.
            for (int i = 0; i < d.length; i++) {
                w.r[d[i] + lane] = old[i];
            }
        }
    }

    /** The same at generic addresses, which must be those of global memory. */
    static void generic(Warp w, int mask, int site, int operation, int bytes, int[] b, int[] d) {
        int shared = GenericMemory.inside(w, mask, GenericMemory.SHARED);
        if (shared != 0) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, Integer.numberOfTrailingZeros(shared),
                    "an atomic of a vector in shared memory; there are such of global memory alone");
        }
        global(w, mask, site, operation, bytes, b, d);
    }
}
