// Linear layers with dense weights: out = epilogue(x w^T + bias). gemm.cuh has the product itself.
#include "gemm.cuh"

typedef Problems<Rows, Rows> Linears;

#define LINEAR(name, shape, type, x_loader, w_loader)                                                    \
    extern "C" __global__ void __launch_bounds__(shape::THREADS, shape::BLOCKS)                          \
    name(const __grid_constant__ Linears launch) {                                                       \
        gemm<shape, type, x_loader, w_loader>(launch);                                                   \
    }

LINEAR(linear_bf16_large, LargeTile, bf16, AsyncRows, AsyncRows)
