package jdiffusion.emulator.exec;

/** Loads and stores of memory held as 32-bit words, at checked byte addresses in {@link Warp#address}. */
final class Words {

    private Words() {}

    static void load32(Warp w, int[] words, int mask, int n, int d0, int d1, int d2, int d3) {
        int[] r = w.r;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int at = (int) (w.address[l] >> 2);
            r[d0 + l] = words[at];
            if (n > 1) {
                r[d1 + l] = words[at + 1];
                if (n > 2) {
                    r[d2 + l] = words[at + 2];
                    r[d3 + l] = words[at + 3];
                }
            }
        }
    }

    static void store32(Warp w, int[] words, int mask, int n, int d0, int d1, int d2, int d3) {
        int[] r = w.r;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int at = (int) (w.address[l] >> 2);
            words[at] = r[d0 + l];
            if (n > 1) {
                words[at + 1] = r[d1 + l];
                if (n > 2) {
                    words[at + 2] = r[d2 + l];
                    words[at + 3] = r[d3 + l];
                }
            }
        }
    }

    static long word64(int[] words, int at) {
        return words[at] & 0xffffffffL | (long) words[at + 1] << 32;
    }

    static void word64(int[] words, int at, long value) {
        words[at] = (int) value;
        words[at + 1] = (int) (value >>> 32);
    }

    static void load64(Warp w, int[] words, int mask, int n, int d0, int d1) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                int at = (int) (w.address[l] >> 2);
                w.q[d0 + l] = word64(words, at);
                if (n > 1) {
                    w.q[d1 + l] = word64(words, at + 2);
                }
            }
        }
    }

    static void store64(Warp w, int[] words, int mask, int n, int d0, int d1) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                int at = (int) (w.address[l] >> 2);
                word64(words, at, w.q[d0 + l]);
                if (n > 1) {
                    word64(words, at + 2, w.q[d1 + l]);
                }
            }
        }
    }

    static void loadSmall(Warp w, int[] words, int mask, int bytes, int signed, int n, int d0, int d1, int d2,
            int d3) {
        int unused = 32 - 8 * bytes;
        for (int i = 0; i < n; i++) {
            int d = i == 0 ? d0 : i == 1 ? d1 : i == 2 ? d2 : d3;
            for (int l = 0; l < Layout.LANES; l++) {
                if ((mask >>> l & 1) != 0) {
                    int at = (int) w.address[l] + bytes * i;
                    int value = words[at >> 2] >>> 8 * (at & 3) << unused;
                    w.r[d + l] = signed != 0 ? value >> unused : value >>> unused;
                }
            }
        }
    }

    static void storeSmall(Warp w, int[] words, int mask, int bytes, int n, int d0, int d1, int d2, int d3) {
        int ones = (1 << 8 * bytes) - 1;
        for (int i = 0; i < n; i++) {
            int d = i == 0 ? d0 : i == 1 ? d1 : i == 2 ? d2 : d3;
            for (int l = 0; l < Layout.LANES; l++) {
                if ((mask >>> l & 1) != 0) {
                    int at = (int) w.address[l] + bytes * i;
                    int shift = 8 * (at & 3);
                    words[at >> 2] = words[at >> 2] & ~(ones << shift) | (w.r[d + l] & ones) << shift;
                }
            }
        }
    }
}
