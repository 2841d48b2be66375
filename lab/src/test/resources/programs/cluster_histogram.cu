#include <cooperative_groups.h>
namespace cg = cooperative_groups;
/* Bins lie in the shared memory of all blocks of a cluster, `per` of them in each. */
__global__ void cluster_histogram(const unsigned* x, int* bins, int n, int per) {
    extern __shared__ int own[];
    cg::cluster_group cluster = cg::this_cluster();
    for (int i = threadIdx.x; i < per; i += blockDim.x) own[i] = 0;
    cluster.sync();
    for (int i = cg::this_grid().thread_rank(); i < n; i += cg::this_grid().num_threads()) {
        unsigned bin = x[i] % (per * cluster.num_blocks());
        atomicAdd(cluster.map_shared_rank(own, bin / per) + bin % per, 1);
    }
    cluster.sync();
    int* mine = bins + cluster.block_rank() * per;
    for (int i = threadIdx.x; i < per; i += blockDim.x) atomicAdd(&mine[i], own[i]);
}
