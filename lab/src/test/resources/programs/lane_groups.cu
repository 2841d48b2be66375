#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;
/* Groups of lanes by a label: a warp-wide instruction in which lanes name several groups. */
__global__ void lane_groups(const int* x, int* y) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    int v = x[threadIdx.x];
    auto label = cg::labeled_partition(warp, v % 4);
    int sum = cg::reduce(label, v, cg::plus<int>());
    auto odd = cg::binary_partition(warp, v & 1);
    y[threadIdx.x] = sum * 10000 + label.size() * 100 + odd.thread_rank();
}
/* 64-bit values that are the same, and whether all are. */
__global__ void lane_matches(const long long* x, int* y) {
    int all;
    unsigned same = __match_any_sync(~0u, x[threadIdx.x] % 3);
    __match_all_sync(~0u, x[threadIdx.x] / 1000, &all);
    y[threadIdx.x] = __popc(same) * 10 + all;
}
