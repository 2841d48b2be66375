package jdiffusion.kernels.machine;

/**
 * A vector register.
 *
 * @param number 0 to 31; those from 16 on, and all of 512 bits, need AVX-512
 * @param bits   128 (xmm), 256 (ymm) or 512 (zmm)
 */
record Vec(int number, int bits) {
    Vec {
        if (number < 0 || number > 31 || (bits != 128 && bits != 256 && bits != 512)) {
            throw new IllegalArgumentException("no vector register " + number + " of " + bits + " bits");
        }
    }

    static Vec xmm(int number) {
        return new Vec(number, 128);
    }

    static Vec ymm(int number) {
        return new Vec(number, 256);
    }

    static Vec zmm(int number) {
        return new Vec(number, 512);
    }

    int bytes() {
        return bits / 8;
    }

    /** Whether only EVEX can name it. */
    boolean needsEvex() {
        return number > 15 || bits == 512;
    }

    @Override
    public String toString() {
        return (bits == 128 ? "xmm" : bits == 256 ? "ymm" : "zmm") + number;
    }
}
