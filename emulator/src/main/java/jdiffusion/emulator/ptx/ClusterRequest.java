package jdiffusion.emulator.ptx;

/**
 * What a kernel asks of the clusters that it runs in.
 *
 * @param x        blocks of a cluster by {@code .reqnctapercluster}; 0 where the launch decides
 * @param y        the same in y
 * @param z        the same in z
 * @param explicit whether each launch must have a size of clusters ({@code .explicitcluster})
 * @param most     most blocks of a cluster ({@code .maxclusterrank}); 0 where the kernel says nothing
 */
public record ClusterRequest(int x, int y, int z, boolean explicit, int most) {
    /** Nothing. */
    public static final ClusterRequest NONE = new ClusterRequest(0, 0, 0, false, 0);

    ClusterRequest withSize(int[] xyz) {
        return new ClusterRequest(xyz[0], xyz.length > 1 ? xyz[1] : 1, xyz.length > 2 ? xyz[2] : 1, explicit, most);
    }

    ClusterRequest asExplicit() {
        return new ClusterRequest(x, y, z, true, most);
    }

    ClusterRequest withMost(int rank) {
        return new ClusterRequest(x, y, z, explicit, rank);
    }
}
