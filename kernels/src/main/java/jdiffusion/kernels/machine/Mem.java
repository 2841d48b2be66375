package jdiffusion.kernels.machine;

/**
 * A place in memory: base + index * scale + displacement.
 *
 * @param index null for none; not RSP
 * @param scale 1, 2, 4 or 8
 */
record Mem(Gpr base, Gpr index, int scale, int displacement) {
    Mem {
        if (index == Gpr.RSP || (scale != 1 && scale != 2 && scale != 4 && scale != 8)) {
            throw new IllegalArgumentException("no address has index " + index + " times " + scale);
        }
    }

    static Mem at(Gpr base) {
        return new Mem(base, null, 1, 0);
    }

    static Mem at(Gpr base, int displacement) {
        return new Mem(base, null, 1, displacement);
    }

    static Mem at(Gpr base, Gpr index, int scale) {
        return new Mem(base, index, scale, 0);
    }

    Mem plus(int bytes) {
        return new Mem(base, index, scale, displacement + bytes);
    }
}
