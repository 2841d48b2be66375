package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdiffusion.emulator.DeviceFault.Kind;

/** Calls of functions by the lanes of a warp, and their ends. */
final class Calls {
    private Calls() {}

    /** Lanes of {@code taken} call a function, the others of {@code all} go on. */
    static int call(Warp w, int number, int taken, int all, int site) {
        if (w.stacks == null) {
            w.stacks = new CallStack[Layout.LANES];
            Arrays.setAll(w.stacks, lane -> new CallStack(w, lane));
        }
        CallSite call = w.kernel.calls().get(number);
        for (int rest = taken; rest != 0; rest &= rest - 1) {
            w.stacks[Integer.numberOfTrailingZeros(rest)].call(call, site);
        }
        if (taken != 0 && taken != all) {
            w.parted(call.next() - 1);
        }
        w.resume(call.target(), taken);
        w.resume(call.next(), all & ~taken);
        return Warp.ELSEWHERE;
    }

    /**
     * As {@link #call} for functions whose addresses are in a 64-bit slot.
     *
     * @param numbers of the calls, by the functions' order in the module; -1 for those that cannot be called so
     */
    static int callThrough(Warp w, int[] numbers, int slot, int taken, int all, int next, int site) {
        for (int rest = taken; rest != 0;) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = w.q[slot + lane];
            int function = Functions.number(address);
            if (function < 0 || function >= numbers.length || numbers[function] < 0) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, ("calls 0x%x, where no function with such"
                        + " parameters is").formatted(address));
            }
            int same = 0;
            for (int l = lane; l < Layout.LANES; l++) {
                same |= (rest >>> l & 1) != 0 && w.q[slot + l] == address ? 1 << l : 0;
            }
            rest &= ~same;
            if (same != all) {
                w.parted(next - 1);
            }
            call(w, numbers[function], same, same, site);
        }
        w.resume(next, all & ~taken);
        return Warp.ELSEWHERE;
    }

    /** Lanes of {@code taken} go back to where they were called, the others of {@code all} go on at {@code next}. */
    static int endCall(Warp w, int taken, int next, int all) {
        for (int rest = taken; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.resume(w.stacks[lane].end().next(), 1 << lane);
        }
        w.resume(next, all & ~taken);
        return Warp.ELSEWHERE;
    }

    /** Where an array of a function lies, in local memory. */
    static void frame(Warp w, int mask, int slot, int offset) {
        for (int lane = 0; lane < Layout.LANES; lane++) {
            if ((mask >>> lane & 1) != 0) {
                w.q[slot + lane] = w.stacks[lane].base() + offset;
            }
        }
    }
}
