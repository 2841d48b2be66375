#include <cooperative_groups.h>
namespace cg = cooperative_groups;
/* The sum of the rows of a cluster's blocks, one row a block: the first block reads what the others have summed. */
__global__ void __cluster_dims__(4, 1, 1) cluster_reduce(const float* x, float* sums, int columns) {
    __shared__ float part[8];
    __shared__ float total;
    cg::cluster_group cluster = cg::this_cluster();
    float s = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) s += x[blockIdx.x * columns + i];
    for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
    __syncthreads();
    if (threadIdx.x == 0) {
        total = 0;
        for (int i = 0; i < blockDim.x / 32; i++) total += part[i];
    }
    cluster.sync();
    if (cluster.block_rank() == 0 && threadIdx.x == 0) {
        float all = 0;
        for (int r = 0; r < cluster.num_blocks(); r++) all += *cluster.map_shared_rank(&total, r);
        sums[blockIdx.x / 4] = all;
    }
    cluster.sync();
}
