package jdiffusion.emulator.exec;

/** What translated code reads of a kernel's parameters, at offsets in bytes. */
final class Parameters {
    private Parameters() {}

    /** A parameter of up to 32 bits. */
    static int word(Warp w, long offset, int bytes, boolean signed) {
        byte[] params = w.block.parameters();
        if (offset < 0 || offset > params.length - bytes) {
            throw new IllegalStateException("kernel " + w.kernel.name() + " reads parameters at offset " + offset);
        }
        int value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (params[(int) offset + i] & 0xff) << 8 * i;
        }
        int unused = 32 - 8 * bytes;
        return signed ? value << unused >> unused : value;
    }

    /** A parameter of 64 bits. */
    static long wide(Warp w, long offset) {
        return word(w, offset, 4, false) & 0xffffffffL | (long) word(w, offset + 4, 4, false) << 32;
    }
}
