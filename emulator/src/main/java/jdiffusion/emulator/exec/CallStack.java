package jdiffusion.emulator.exec;

import java.util.ArrayDeque;
import java.util.Deque;
import jdiffusion.emulator.DeviceFault.Kind;

/** The calls under way in one lane. */
final class CallStack {
    /**
     * Calls within calls at which a kernel is stopped; CUDA's stack, 1 KiB unless it is told otherwise, ends before.
     */
    private static final int DEEPEST = 4096;

    /** What a call has kept. */
    private record Frame(CallSite call, int base, int top, int[] ints, long[] longs, int predicates, byte[] local) {}

    private final Warp warp;
    private final int lane;
    private final Deque<Frame> frames = new ArrayDeque<>();
    private int base;
    private int top;

    CallStack(Warp warp, int lane) {
        this.warp = warp;
        this.lane = lane;
        reset();
    }

    void reset() {
        frames.clear();
        base = warp.kernel.localBytes() - warp.kernel.stackBytes();
        top = base;
    }

    /** Where the arrays of the running function lie in local memory. */
    int base() {
        return base;
    }

    /** Keeps what the call may overwrite and copies its arguments. */
    void call(CallSite call, int site) {
        if (frames.size() == DEEPEST || top + call.frame() > warp.kernel.localBytes()) {
            throw warp.block.fault(Kind.STACK_OVERFLOW, site, warp, lane, frames.size() == DEEPEST
                    ? "there are %d calls within calls".formatted(DEEPEST)
                    : "%d calls within calls fill the stack of %d bytes".formatted(frames.size(),
                            warp.kernel.stackBytes()));
        }
        byte[] arguments = read(call.arguments());
        int[] ints = new int[call.ints().length];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = warp.r[call.ints()[i] + lane];
        }
        long[] longs = new long[call.longs().length];
        for (int i = 0; i < longs.length; i++) {
            longs[i] = warp.q[call.longs()[i] + lane];
        }
        int[] kept = new int[call.kept().length / 2 * 3];
        for (int i = 0; i < call.kept().length / 2; i++) {
            kept[3 * i] = call.kept()[2 * i];
            kept[3 * i + 2] = call.kept()[2 * i + 1];
        }
        byte[] predicates = new byte[call.predicates().length];
        byte[] local = read(kept);
        byte[] all = new byte[local.length + predicates.length];
        System.arraycopy(local, 0, all, 0, local.length);
        for (int i = 0; i < predicates.length; i++) {
            all[local.length + i] = (byte) (warp.p[call.predicates()[i]] >>> lane & 1);
        }
        frames.push(new Frame(call, base, top, ints, longs, local.length, all));
        base = top;
        top += call.frame();
        write(call.arguments(), 1, arguments);
    }

    /** Goes back to the caller, with the results. */
    CallSite end() {
        Frame frame = frames.pop();
        CallSite call = frame.call();
        byte[] results = read(call.results());
        for (int i = 0; i < frame.ints().length; i++) {
            warp.r[call.ints()[i] + lane] = frame.ints()[i];
        }
        for (int i = 0; i < frame.longs().length; i++) {
            warp.q[call.longs()[i] + lane] = frame.longs()[i];
        }
        for (int i = 0; i < call.predicates().length; i++) {
            int slot = call.predicates()[i];
            warp.p[slot] = warp.p[slot] & ~(1 << lane) | frame.local()[frame.predicates() + i] << lane;
        }
        int[] kept = call.kept();
        int at = 0;
        for (int i = 0; i < kept.length; i += 2) {
            for (int k = 0; k < kept[i + 1]; k++) {
                put(kept[i] + k, frame.local()[at++]);
            }
        }
        base = frame.base();
        top = frame.top();
        write(call.results(), 1, results);
        return call;
    }

    private byte[] read(int[] triples) {
        int bytes = 0;
        for (int i = 2; i < triples.length; i += 3) {
            bytes += triples[i];
        }
        byte[] read = new byte[bytes];
        int at = 0;
        for (int i = 0; i < triples.length; i += 3) {
            for (int k = 0; k < triples[i + 2]; k++) {
                read[at++] = (byte) get(triples[i] + k);
            }
        }
        return read;
    }

    private void write(int[] triples, int column, byte[] bytes) {
        int at = 0;
        for (int i = 0; i < triples.length; i += 3) {
            for (int k = 0; k < triples[i + 2]; k++) {
                put(triples[i + column] + k, bytes[at++]);
            }
        }
    }

    private int get(int offset) {
        return warp.local[lane * warp.localStride() + (offset >> 2)] >>> 8 * (offset & 3);
    }

    private void put(int offset, byte value) {
        int at = lane * warp.localStride() + (offset >> 2);
        int shift = 8 * (offset & 3);
        warp.local[at] = warp.local[at] & ~(0xff << shift) | (value & 0xff) << shift;
    }
}
