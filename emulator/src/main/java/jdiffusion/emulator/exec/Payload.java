package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/** What an asynchronous copy brings to the shared memory of a block, or takes from there. */
interface Payload {
    /** Where its pieces lie in the block's shared memory, in bytes. */
    int[] addresses();

    /** Bytes of a piece. */
    int piece();

    /** How what it brings is combined with what is there; null where it takes that place. */
    Reduction reduction();

    /** Bytes of all pieces. */
    int bytes();

    /** Puts the bytes into the words of a block's shared memory. */
    void toShared(int[] words);

    /** Faults unless all pieces lie in a block's shared memory. */
    default void checkShared(Warp w, int lane, int site, boolean write, Block block) {
        int limit = block.shared().bytes - piece();
        for (int at : addresses()) {
            if (at < 0 || at > limit) {
                String whose = block == w.block ? "" : " " + block.index() + " of the cluster";
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, ("a copy %s shared address %d, the block%s has"
                        + " %d bytes").formatted(write ? "to" : "from", at, whose, block.shared().bytes));
            }
            if (at % piece() != 0) {
                throw w.block.fault(Kind.MISALIGNED, site, w, lane,
                        "shared address %d of a copy is not a multiple of %d".formatted(at, piece()));
            }
        }
    }

    /** Values of one thread, in words, that {@code st.async} or {@code red.async} brings to one place. */
    record Words(int at, int[] words, Reduction reduction) implements Payload {
        @Override
        public int[] addresses() {
            return new int[] {at};
        }

        @Override
        public int piece() {
            return words.length * Integer.BYTES;
        }

        @Override
        public int bytes() {
            return piece();
        }

        @Override
        public void toShared(int[] target) {
            if (reduction != null) {
                reduction.shared(target, at >> 2, words, 0, words.length);
                return;
            }
            System.arraycopy(words, 0, target, at >> 2, words.length);
        }
    }
}
