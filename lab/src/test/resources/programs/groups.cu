#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;
__global__ void groups(const int* x, int* y) {
    auto block = cg::this_thread_block();
    auto tile = cg::tiled_partition<8>(block);
    y[threadIdx.x] = cg::reduce(tile, x[threadIdx.x], cg::plus<int>()) * 1000 + cg::inclusive_scan(tile, x[threadIdx.x]);
}
