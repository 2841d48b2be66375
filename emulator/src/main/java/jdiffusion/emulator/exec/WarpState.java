package jdiffusion.emulator.exec;

import java.util.List;
import java.util.Set;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.SharedArray;
import jdiffusion.emulator.ptx.Type;

/** A warp before one of its instructions; to be looked at until the instruction runs. */
public final class WarpState {
    private final Warp warp;
    private final Site site;
    private final int mask;

    WarpState(Warp warp, Site site, int mask) {
        this.warp = warp;
        this.site = site;
        this.mask = mask;
    }

    /** Index of the block in its grid. */
    public Dim3 block() {
        return warp.block.index();
    }

    /** Number of the warp in its block. */
    public int warp() {
        return warp.index;
    }

    /** Line of the instruction in the PTX text, from 1. */
    public int line() {
        return site.line();
    }

    /** The instruction. */
    public String text() {
        return site.text();
    }

    /** Lanes that have come to the instruction, whatever its guard says. */
    public int mask() {
        return mask;
    }

    /** Lanes that exist and have not exited. */
    public int live() {
        return warp.live;
    }

    /** Registers that the kernel uses; those of a function that it calls end in {@code @} and the function's name. */
    public Set<String> registers() {
        return warp.kernel.registers().keySet();
    }

    /** The declared type of a register. */
    public Type type(String register) {
        return warp.kernel.registers().get(register).type();
    }

    /** The bits of a register in a lane; of a predicate 0 or 1. */
    public long bits(String register, int lane) {
        Layout.Register found = warp.kernel.registers().get(register);
        return found.type() == Type.PRED ? warp.p[found.slot()] >>> lane & 1
                : found.type().bits() == 64 ? warp.q[found.slot() + lane] : warp.r[found.slot() + lane];
    }

    /** What the block's shared memory holds. */
    public List<SharedArray> sharedArrays() {
        return warp.kernel.sharedArrays();
    }

    /** Bytes of the block's shared memory, the dynamic part included. */
    public int sharedBytes() {
        return warp.block.sharedBytes();
    }

    /** A byte of the block's shared memory. */
    public byte sharedByte(int at) {
        if (at < 0 || at >= sharedBytes()) {
            throw new IndexOutOfBoundsException("byte " + at + " of " + sharedBytes() + " bytes of shared memory");
        }
        return (byte) (warp.block.shared().words[at >> 2] >>> 8 * (at & 3));
    }
}
