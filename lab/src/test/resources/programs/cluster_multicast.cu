#include <cuda/barrier>
#include <cuda/ptx>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
namespace ptx = cuda::ptx;
/* Each block of a cluster loads a quarter of a tile and gives it to all; a stage is free when all have read it. */
__global__ void __cluster_dims__(4, 1, 1) cluster_multicast(const int* x, int* y, int tiles) {
    __shared__ alignas(128) int tile[2][256];
    __shared__ uint64_t full[2], empty[2];
    cg::cluster_group cluster = cg::this_cluster();
    unsigned rank = cluster.block_rank(), t = threadIdx.x;
    if (t == 0) {
        for (int s = 0; s < 2; s++) {
            ptx::mbarrier_init(&full[s], 1);
            ptx::mbarrier_init(&empty[s], 4);
        }
        ptx::fence_mbarrier_init(ptx::sem_release, ptx::scope_cluster);
    }
    cluster.sync();
    int sum = 0;
    for (int i = 0; i < tiles + 1; i++) {
        if (i < tiles && t == 0) {
            int s = i % 2;
            if (i > 1) while (!ptx::mbarrier_try_wait_parity(ptx::sem_acquire, ptx::scope_cluster, &empty[s], (i / 2 - 1) % 2)) { }
            ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared, &full[s], 1024);
            ptx::cp_async_bulk(ptx::space_cluster, ptx::space_global, &tile[s][rank * 64], x + i * 256 + rank * 64, 256, &full[s],
                (uint16_t) 15);
        }
        if (i > 0) {
            int s = (i - 1) % 2;
            while (!ptx::mbarrier_try_wait_parity(ptx::sem_acquire, ptx::scope_cluster, &full[s], (i - 1) / 2 % 2)) { }
            sum += tile[s][t] * (int) (blockIdx.x + 1) + tile[s][255 - t];
            __syncthreads();
            if (t < 4) {
                uint64_t* there = cluster.map_shared_rank(&empty[s], t);
                ptx::mbarrier_arrive(ptx::sem_release, ptx::scope_cluster, ptx::space_cluster, there);
            }
        }
    }
    y[blockIdx.x * 256 + t] = sum;
    cluster.sync();
}
