package jdiffusion.emulator.exec;

/** The translated code of a kernel; its class is generated. */
public interface KernelCode {

    /**
     * Runs one basic block with the lanes of {@code mask}.
     *
     * @return the block where all of them go on, or {@link Warp#ELSEWHERE} when the warp has noted where they are
     */
    int run(Warp warp, int block, int mask);
}
