package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * What translated code reads of a kernel's parameters, at offsets in bytes: by name, or through a pointer to a parameter
 * ({@code __grid_constant__}), with the offsets in {@link Warp#address}.
 */
final class Parameters {
    private Parameters() {}

    /** A parameter of up to 32 bits. */
    static int word(Warp w, long offset, int bytes, boolean signed) {
        byte[] params = w.block.parameters();
        if (offset < 0 || offset > params.length - bytes) {
            throw new DeviceFault(Kind.OUT_OF_BOUNDS, ("read of %d bytes at offset %d of the kernel's parameters, which"
                    + " have %d bytes").formatted(bytes, offset, params.length), w.kernel.name(), 0, "", null, -1);
        }
        int at = (int) offset;
        if (bytes == Integer.BYTES) {
            return word(params, at);
        }
        int value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (params[at + i] & 0xff) << 8 * i;
        }
        int unused = 32 - 8 * bytes;
        return signed ? value << unused >> unused : value;
    }

    /** A parameter of 64 bits. */
    static long wide(Warp w, long offset) {
        return word(w, offset, 4, false) & 0xffffffffL | (long) word(w, offset + 4, 4, false) << 32;
    }

    static void load32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int whole = alike(w, mask);
        check(w, whole, site, Integer.BYTES * n);
        byte[] params = w.block.parameters();
        for (int rest = whole; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            w.r[d0 + lane] = word(params, at);
            if (n > 1) {
                w.r[d1 + lane] = word(params, at + 4);
            }
            if (n > 2) {
                w.r[d2 + lane] = word(params, at + 8);
                w.r[d3 + lane] = word(params, at + 12);
            }
        }
        if (whole != mask) {
            int first = Integer.numberOfTrailingZeros(mask);
            spread(w.r, d0, first, mask);
            if (n > 1) {
                spread(w.r, d1, first, mask);
            }
            if (n > 2) {
                spread(w.r, d2, first, mask);
                spread(w.r, d3, first, mask);
            }
        }
    }

    /** The first of the lanes where all have the same address, else all. */
    private static int alike(Warp w, int mask) {
        long first = w.address[Integer.numberOfTrailingZeros(mask) & Layout.LANES - 1];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            if (w.address[Integer.numberOfTrailingZeros(rest)] != first) {
                return mask;
            }
        }
        return Integer.lowestOneBit(mask);
    }

    /** All lanes get what the first has. */
    private static void spread(int[] registers, int slot, int first, int mask) {
        int value = registers[slot + first];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            registers[slot + Integer.numberOfTrailingZeros(rest)] = value;
        }
    }

    private static int word(byte[] params, int at) {
        return params[at] & 0xff | (params[at + 1] & 0xff) << 8 | (params[at + 2] & 0xff) << 16 | params[at + 3] << 24;
    }

    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, bytes * n);
        int[] d = {d0, d1, d2, d3};
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            for (int i = 0; i < n; i++) {
                w.r[d[i] + lane] = word(w, w.address[lane] + (long) bytes * i, bytes, signed != 0);
            }
        }
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int whole = alike(w, mask);
        check(w, whole, site, Long.BYTES * n);
        byte[] params = w.block.parameters();
        for (int i = 0; i < n; i++) {
            int d = i == 0 ? d0 : d1;
            long value = 0;
            for (int rest = whole; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int at = (int) w.address[lane] + Long.BYTES * i;
                value = Integer.toUnsignedLong(word(params, at)) | (long) word(params, at + Integer.BYTES) << Integer.SIZE;
                w.q[d + lane] = value;
            }
            for (int rest = mask & ~whole; rest != 0; rest &= rest - 1) {
                w.q[d + Integer.numberOfTrailingZeros(rest)] = value;
            }
        }
    }

    private static void check(Warp w, int mask, int site, int bytes) {
        int size = w.block.parameters().length;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long at = w.address[lane];
            boolean outside = at < 0 || at > size - bytes;
            if (outside || (at & bytes - 1) != 0) {
                throw w.block.fault(outside ? Kind.OUT_OF_BOUNDS : Kind.MISALIGNED, site, w, lane,
                        "read of %d bytes at offset %d of the kernel's parameters, which have %d bytes".formatted(bytes,
                                at, size));
            }
        }
    }
}
