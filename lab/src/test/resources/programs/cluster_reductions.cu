#include <cuda/barrier>
#include <cuda/ptx>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
namespace ptx = cuda::ptx;
/* Blocks of a cluster count into the first one's bins by red.async, add their sums to the first one's by a bulk copy,
 * and the first one adds both to arrays in global memory. */
__global__ void __cluster_dims__(4, 1, 1) cluster_reductions(const int* d, int* bins, float* sums) {
    __shared__ alignas(16) uint32_t count[32];
    __shared__ alignas(16) uint32_t partial[64];
    __shared__ alignas(16) float real[64];
    __shared__ uint64_t bars[2];
    cg::cluster_group cluster = cg::this_cluster();
    unsigned rank = cluster.block_rank(), t = threadIdx.x;
    uint32_t own = d[blockIdx.x * 64 + t];
    if (t < 32) count[t] = 0;
    partial[t] = own;
    if (t == 0) {
        ptx::mbarrier_init(&bars[0], 1);
        ptx::mbarrier_init(&bars[1], 1);
        ptx::fence_mbarrier_init(ptx::sem_release, ptx::scope_cluster);
        ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared, &bars[0], 4 * 64 * 4);
        ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared, &bars[1], 3 * 256);
    }
    ptx::fence_proxy_async(ptx::space_shared);
    cluster.sync();
    uint32_t* first = cluster.map_shared_rank(count, 0);
    ptx::red_async(ptx::op_add, &first[own % 32], 1u, cluster.map_shared_rank(&bars[0], 0));
    if (rank != 0 && t == 0) {
        ptx::cp_reduce_async_bulk(ptx::space_cluster, ptx::space_shared, ptx::op_add, cluster.map_shared_rank(partial, 0),
            partial, 256, cluster.map_shared_rank(&bars[1], 0));
    }
    if (rank == 0) {
        while (!ptx::mbarrier_try_wait_parity(&bars[0], 0)) { }
        while (!ptx::mbarrier_try_wait_parity(&bars[1], 0)) { }
        if (t < 32) atomicAdd(&bins[t], (int) count[t]);
        real[t] = partial[t];
        ptx::fence_proxy_async(ptx::space_shared);
        __syncthreads();
        if (t == 0) {
            ptx::cp_reduce_async_bulk(ptx::space_global, ptx::space_shared, ptx::op_add, sums, real, 256);
            ptx::cp_async_bulk_commit_group();
            ptx::cp_async_bulk_wait_group(ptx::n32_t<0>());
        }
    }
    cluster.sync();
}
