package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/**
 * The metadata of {@code mma.sp}: for each group of four elements of a row of A (of two, for tf32) four bits, the
 * places of the two elements that are kept, the first in the lower ones. Lanes 4g to 4g + 3 hold those of rows g and
 * g + 8. Of 16 bits and tf32 a lane holds in its lower half those of row g, in the upper one those of row g + 8, of four
 * groups; the next lane those of the next four. Of 8 bits it holds eight groups of row g, the next lane those of row
 * g + 8, and so on.
 */
final class SparseRows {
    private static final int GROUP_BITS = 4;
    private static final int WORD_GROUPS = Integer.SIZE / GROUP_BITS;

    private SparseRows() {}

    /** How many of four lanes hold metadata. */
    static int lanes(Products products) {
        return products.rows() / 8 * groups(products) / WORD_GROUPS;
    }

    private static int groups(Products products) {
        return products.depth() / (products.a() == Element.TF32 ? 2 : 4);
    }

    /** For each element that is kept of each row its place along k; faults when metadata name none, or one twice. */
    static int[] places(Warp w, int site, Products products, int slot) {
        int kept = products.kept();
        int groups = groups(products);
        int[] places = new int[products.rows() * kept];
        boolean bytes = products.a().bits() == Byte.SIZE;
        for (int row = 0; row < products.rows(); row++) {
            for (int group = 0; group < groups; group++) {
                int word = bytes ? 2 * (group / WORD_GROUPS) + row / 8 : group / 4;
                int lane = 4 * (row % 8) + products.selector() * lanes(products) + word;
                int shift = bytes ? GROUP_BITS * (group % WORD_GROUPS) : 16 * (row / 8) + GROUP_BITS * (group % 4);
                int bits = w.r[slot + lane] >>> shift & 0xf;
                int low = bits & 3;
                int high = bits >> 2;
                if (products.a() == Element.TF32) {
                    if (bits != 0b0100 && bits != 0b1110) {
                        throw fault(w, site, lane, group, row, bits, "of tf32 0b0100 and 0b1110 alone have a meaning");
                    }
                    places[row * kept + group] = 2 * group + high / 3;
                    continue;
                }
                if (low >= high) {
                    throw fault(w, site, lane, group, row, bits, "the second place must come after the first");
                }
                places[row * kept + 2 * group] = 4 * group + low;
                places[row * kept + 2 * group + 1] = 4 * group + high;
            }
        }
        return places;
    }

    private static RuntimeException fault(Warp w, int site, int lane, int group, int row, int bits, String why) {
        return w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, "the metadata of group %d of row %d are 0x%x: %s"
                .formatted(group, row, bits, why));
    }
}
