#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_scan.cuh>
/* CUB's sort and sum of a block. */
__global__ void block_sort(const int* x, int* y) {
    typedef cub::BlockRadixSort<int, 64, 2> Sort;
    __shared__ typename Sort::TempStorage storage;
    int v[2] = {x[2 * threadIdx.x], x[2 * threadIdx.x + 1]};
    Sort(storage).Sort(v);
    y[2 * threadIdx.x] = v[0];
    y[2 * threadIdx.x + 1] = v[1];
}
__global__ void block_scan(const int* x, int* y) {
    typedef cub::BlockScan<int, 128> Scan;
    __shared__ typename Scan::TempStorage storage;
    int sum;
    Scan(storage).InclusiveSum(x[threadIdx.x], sum);
    y[threadIdx.x] = sum;
}
