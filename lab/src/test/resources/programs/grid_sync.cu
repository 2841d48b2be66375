#include <cooperative_groups.h>
namespace cg = cooperative_groups;
__global__ void grid_sync(int* a, int* b, int rounds) {
    auto grid = cg::this_grid();
    int i = grid.thread_rank(), n = grid.size();
    for (int r = 0; r < rounds; r++) {
        a[i] = i + r; grid.sync();
        b[i] = a[(i + 37) % n]; grid.sync();
    }
}
