#include <cuda/barrier>
#include <cuda/ptx>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
namespace ptx = cuda::ptx;
/* Blocks send rows to the next block: by st.async, and back by a bulk copy. */
__global__ void __cluster_dims__(2, 1, 1) cluster_stores(const int* x, int* y) {
    __shared__ alignas(16) int got[64], back[64], sent[64];
    __shared__ uint64_t bars[2];
    cg::cluster_group cluster = cg::this_cluster();
    unsigned rank = cluster.block_rank(), t = threadIdx.x;
    if (t == 0) {
        ptx::mbarrier_init(&bars[0], 1);
        ptx::mbarrier_init(&bars[1], 1);
        ptx::fence_mbarrier_init(ptx::sem_release, ptx::scope_cluster);
        ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared, &bars[0], 256);
        ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared, &bars[1], 256);
    }
    cluster.sync();
    int* there = cluster.map_shared_rank(got, rank ^ 1);
    uint64_t* bar = cluster.map_shared_rank(&bars[0], rank ^ 1);
    if (t < 16) {
        int4 v = ((const int4*) x)[blockIdx.x * 16 + t];
        const int32_t w[4] = {v.x, v.y, v.z, v.w};
        ptx::st_async(&there[4 * t], w, bar);
    }
    while (!ptx::mbarrier_try_wait_parity(&bars[0], 0)) { }
    sent[t] = got[t] * 2 + t;
    ptx::fence_proxy_async(ptx::space_shared);
    __syncthreads();
    if (t == 0) {
        ptx::cp_async_bulk(ptx::space_cluster, ptx::space_shared, cluster.map_shared_rank(back, rank ^ 1), sent, 256,
            cluster.map_shared_rank(&bars[1], rank ^ 1));
    }
    while (!ptx::mbarrier_try_wait_parity(&bars[1], 0)) { }
    y[blockIdx.x * 64 + t] = back[t];
    cluster.sync();
}
