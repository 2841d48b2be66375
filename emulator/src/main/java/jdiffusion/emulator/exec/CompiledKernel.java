package jdiffusion.emulator.exec;

import java.util.List;
import java.util.Map;
import jdiffusion.emulator.SharedArray;
import jdiffusion.emulator.ptx.ClusterRequest;

/**
 * A translated kernel: code, and what a block needs to run it.
 *
 * @param ints 32-bit register slots of a warp, times 32 lanes
 * @param longs the same for 64 bits
 * @param predicates number of predicates
 * @param intConstants pairs of slot and value, filled into every warp
 * @param longConstants the same for 64 bits
 * @param specials special registers by slot
 * @param sites instructions, by the number that the code passes to memory accesses
 * @param blockSites for each basic block the sites that it executes
 * @param sharedBytes static shared memory; the dynamic part begins at this offset
 * @param sharedCell smallest size of an access of shared memory in bytes, a power of 2; all accesses are aligned to it
 * @param localBytes local memory per thread
 * @param stackBytes the last part of the local memory, for arrays of functions that call themselves
 * @param paramBytes size of the parameters
 * @param variables the module's variables, checked like allocations
 * @param calls calls of functions, by number
 * @param sharedArrays what the static shared memory holds, and where the dynamic part begins
 * @param products of warpgroups, by number
 * @param registerUses registers of each basic block; of a kernel without products there is none
 * @param registers where registers lie, by name; empty unless the kernel is translated for steps
 * @param usesCluster whether the code has to do with other blocks of a cluster
 * @param hasFlags whether threads may hand on what they have done by flags in shared memory
 * @param cluster what the kernel asks of its clusters
 */
public record CompiledKernel(
        String name, KernelCode code, int ints, int longs, int predicates, int[] intConstants, long[] longConstants,
        List<Layout.Special> specials, List<Site> sites, int[][] blockSites, int sharedBytes, int sharedCell,
        int localBytes, int stackBytes, int paramBytes, ModuleVariables variables, List<CallSite> calls,
        List<SharedArray> sharedArrays, List<WarpgroupProduct> products,
        List<RegisterUse> registerUses, Map<String, Layout.Register> registers, boolean usesCluster,
        boolean hasFlags, ClusterRequest cluster) {

    /** True for a kernel whose blocks wait for each other, so that all of them must run at the same time. */
    public boolean isCooperative() {
        return specials.stream().anyMatch(s -> s.name().startsWith("%envreg"));
    }
}
