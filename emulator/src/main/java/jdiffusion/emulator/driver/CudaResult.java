package jdiffusion.emulator.driver;

import jdiffusion.emulator.DeviceFault;

/** The values of CUresult that Java returns to the driver. */
final class CudaResult {
    static final int SUCCESS = 0;
    static final int INVALID_VALUE = 1;
    static final int INVALID_PTX = 218;
    static final int INVALID_HANDLE = 400;
    static final int NOT_FOUND = 500;
    static final int ILLEGAL_ADDRESS = 700;
    static final int MISALIGNED_ADDRESS = 716;
    static final int LAUNCH_FAILED = 719;
    static final int UNKNOWN = 999;

    private CudaResult() {
    }

    /** What a launch returns that ended with the fault. */
    static int of(DeviceFault fault) {
        return switch (fault.kind()) {
            case OUT_OF_BOUNDS -> ILLEGAL_ADDRESS;
            case MISALIGNED -> MISALIGNED_ADDRESS;
            case BAD_LAUNCH -> INVALID_VALUE;
            case UNINITIALISED_SHARED, SHARED_RACE, UNFINISHED_COPY, DIVERGENT_BARRIER, BARRIER, UNFINISHED_PRODUCT,
                    MISSING_FENCE, PEER, ASSERTION, STACK_OVERFLOW, TRAP, DEADLOCK -> LAUNCH_FAILED;
        };
    }
}
