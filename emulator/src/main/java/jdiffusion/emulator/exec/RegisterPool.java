package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * Registers that the warps of a block give back and take ({@code setmaxnreg}). At first each thread has as many as a
 * multiprocessor's file gives to a block that has it alone; who takes more waits until others have given back enough.
 */
final class RegisterPool {
    private static final int FILE = 64 << 10;
    private static final int LEAST = 24;
    private static final int MOST = 256;
    private static final int UNIT = 8;

    private final int[] ofThread;
    private final int all;

    RegisterPool(int warps) {
        this.ofThread = new int[warps];
        this.all = Math.min(MOST, FILE / (warps * Layout.LANES) / UNIT * UNIT) * warps;
        reset();
    }

    /** A new block starts. */
    void reset() {
        Arrays.fill(ofThread, all / ofThread.length);
    }

    /**
     * A warp has {@code count} registers for each thread from now on.
     *
     * @param increase 1 when it takes, 0 when it gives back
     * @return the block where the warp goes on: {@code next}, or {@code again} when there are not enough yet
     */
    static int set(Warp w, int mask, int site, int count, int increase, int again, int next) {
        w.checkWhole(mask, site);
        int[] ofThread = w.block.registers().ofThread;
        int all = w.block.registers().all;
        int has = ofThread[w.index];
        if (count < LEAST || count > MOST || count % UNIT != 0) {
            throw w.block.fault(Kind.BAD_LAUNCH, site, w, 0,
                    "%d registers; there may be %d to %d, a multiple of %d".formatted(count, LEAST, MOST, UNIT));
        }
        if (w.block.checker() != null && (increase != 0 ? count < has : count > has)) {
            throw w.block.fault(Kind.BAD_LAUNCH, site, w, 0, "%s to %d registers, and each thread has %d".formatted(
                    increase != 0 ? "increases" : "decreases", count, has));
        }
        int left = all - Arrays.stream(ofThread).sum() + has;
        if (count > left) {
            w.stall(site, 0, () -> "it waits for %d registers for each thread, and the block's other warps leave it %d"
                    .formatted(count, left));
            w.yield();
            return again;
        }
        ofThread[w.index] = count;
        w.block.happened();
        return next;
    }
}
