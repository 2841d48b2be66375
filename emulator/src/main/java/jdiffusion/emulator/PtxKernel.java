package jdiffusion.emulator;

import jdiffusion.emulator.exec.CompiledKernel;
import jdiffusion.emulator.ptx.ClusterRequest;

/** An entry function of a {@link PtxProgram}. */
public final class PtxKernel {
    /** Most blocks of a cluster on any card that has clusters. */
    private static final int MOST_IN_CLUSTER = 8;

    private final CompiledKernel compiled;
    private final int maxThreads;
    private final int registers;

    PtxKernel(CompiledKernel compiled, int maxThreads, int registers) {
        this.compiled = compiled;
        this.maxThreads = maxThreads;
        this.registers = registers;
    }

    CompiledKernel compiled() {
        return compiled;
    }

    public String name() {
        return compiled.name();
    }

    /** Size of the parameters in bytes, each at its natural alignment, in order. */
    public int paramBytes() {
        return compiled.paramBytes();
    }

    /** Shared memory that the kernel declares, without the dynamic part, in bytes. */
    public int staticSharedBytes() {
        return compiled.sharedBytes();
    }

    /** Most threads per block: the product of {@code .maxntid}, or 1024 when it is not given. */
    public int maxThreads() {
        return maxThreads;
    }

    /** 32-bit virtual registers that the PTX uses (64-bit ones count twice); ptxas will need far fewer. */
    public int registers() {
        return registers;
    }

    /**
     * Why a launch with clusters of that size, or with none where it is null, is refused; null when it may go ahead.
     */
    public String clusterObstacle(Dim3 grid, Dim3 cluster) {
        ClusterRequest wanted = compiled.cluster();
        Dim3 size = clusterOf(cluster);
        if (size == null) {
            return !isClusterSizeNeeded() ? null
                    : "no size of clusters, and the kernel is compiled to be launched with one";
        }
        if (cluster != null && wanted.x() > 0 && !size.equals(clusterOf(null))) {
            return "clusters of %s blocks, and the kernel is compiled for clusters of %s".formatted(size,
                    clusterOf(null));
        }
        if (Math.min(size.x(), Math.min(size.y(), size.z())) < 1) {
            return "clusters of %s blocks: each count must be at least 1".formatted(size);
        }
        int most = wanted.most() > 0 ? Math.min(wanted.most(), MOST_IN_CLUSTER) : MOST_IN_CLUSTER;
        if (size.count() > most) {
            return "clusters of %s, %d blocks: at most %d are possible here%s".formatted(size, size.count(), most,
                    most == MOST_IN_CLUSTER ? "; 16, which are not portable, are not supported" : ", says the kernel");
        }
        if (grid.x() % size.x() != 0 || grid.y() % size.y() != 0 || grid.z() % size.z() != 0) {
            return "a grid of %s blocks, which is no multiple of its clusters of %s".formatted(grid, size);
        }
        return null;
    }

    /**
     * The size of clusters of a launch that asks for {@code cluster}, or for none where that is null; null for none.
     */
    public Dim3 clusterOf(Dim3 cluster) {
        ClusterRequest wanted = compiled.cluster();
        return cluster != null ? cluster : wanted.x() > 0 ? new Dim3(wanted.x(), wanted.y(), wanted.z()) : null;
    }

    /** Whether each launch must say how large clusters are. */
    public boolean isClusterSizeNeeded() {
        return compiled.cluster().explicit() && clusterOf(null) == null;
    }
}
