package jdiffusion.kernels.cuda;

import java.util.List;

/** What a kernel source is compiled for, which its name says. */
enum Architecture {
    /** Every card from compute capability 8.0 on: PTX that CUDA 11.8 (driver 520) is the first to read. */
    ALL("compute_80", "7.8"),
    /**
     * Files that end in {@code _sm90}: cards of compute capability 9.0 and no others, with the instructions of
     * {@code sm90.cuh}; PTX that CUDA 12.0 is the first to read.
     */
    SM_90A("compute_90a", "8.0"),
    /**
     * Files that end in {@code _sm89}: cards of compute capability 8.9 and newer, whose tensor cores multiply float8;
     * PTX that CUDA 12.4 (driver 550) is the first to read.
     */
    SM_89("compute_89", "8.4");

    private static final String SM_90_ENDING = "_sm90";
    private static final String SM_89_ENDING = "_sm89";

    private final String label;
    private final String ptxVersion;

    Architecture(String label, String ptxVersion) {
        this.label = label;
        this.ptxVersion = ptxVersion;
    }

    /** @param file as {@link CuSource#file} */
    static Architecture of(String file) {
        return file.endsWith(SM_90_ENDING) ? SM_90A : file.endsWith(SM_89_ENDING) ? SM_89 : ALL;
    }

    /** As compilers call it. */
    String label() {
        return label;
    }

    /**
     * The version of the instruction set that the PTX claims, so that drivers that know no more take it. A newer
     * compiler writes a newer number, but the kernels use nothing newer; {@code ptxas} refuses them if they do.
     */
    String ptxVersion() {
        return ptxVersion;
    }

    /** The options of nvcc. */
    List<String> options() {
        return List.of("-ptx", "-arch=" + label, "-O3", "-std=c++17");
    }
}
