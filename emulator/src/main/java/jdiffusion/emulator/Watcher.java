package jdiffusion.emulator;

import jdiffusion.emulator.exec.WarpState;

/** Is shown how kernels of a {@link PtxProgram#translateWhenUsed program} run, instruction by instruction. */
public interface Watcher {
    /**
     * Lanes of a warp are about to execute an instruction, or to wait until all that must execute it with them are
     * there. The block goes on when this returns; it ends, and its launch with it, with what this throws.
     */
    void before(WarpState state);
}
