#include <cooperative_groups.h>
namespace cg = cooperative_groups;
/* Where blocks are in clusters of 2 x 2, and a value handed round in two steps. */
__global__ void __cluster_dims__(2, 2, 1) cluster_shape(int* y) {
    __shared__ int box[2][32];
    cg::cluster_group cluster = cg::this_cluster();
    dim3 at = cluster.block_index(), size = cluster.dim_blocks();
    unsigned rank = cluster.block_rank(), count = cluster.num_blocks();
    auto arrived = cluster.barrier_arrive();
    int v = at.x + 10 * at.y + 100 * size.x + 1000 * size.y + 10000 * rank + threadIdx.x * 100000;
    cluster.barrier_wait(std::move(arrived));
    for (int step = 0; step < 2; step++) {
        int* next = cluster.map_shared_rank(box[step], (rank + 1) % count);
        next[threadIdx.x] = v;
        cluster.sync();
        v = box[step][threadIdx.x] + 1 + cluster.query_shared_rank(next);
    }
    int block = (blockIdx.y * gridDim.x + blockIdx.x) * 32;
    y[block + threadIdx.x] = v;
}
