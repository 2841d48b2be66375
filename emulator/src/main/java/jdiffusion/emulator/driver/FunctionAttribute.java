package jdiffusion.emulator.driver;

/** The values of CUfunction_attribute that the emulated device answers; others read as 0. */
final class FunctionAttribute {
    static final int MAX_THREADS_PER_BLOCK = 0;
    static final int SHARED_SIZE_BYTES = 1;
    static final int PTX_VERSION = 5;
    static final int BINARY_VERSION = 6;
    static final int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
    static final int PREFERRED_SHARED_MEMORY_CARVEOUT = 9;
    static final int CLUSTER_SIZE_MUST_BE_SET = 10;
    static final int REQUIRED_CLUSTER_WIDTH = 11;
    static final int REQUIRED_CLUSTER_HEIGHT = 12;
    static final int REQUIRED_CLUSTER_DEPTH = 13;

    private FunctionAttribute() {
    }
}
