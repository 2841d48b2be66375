#include <cuda_pipeline.h>
__global__ void pipeline(const float4* x, float4* y, int rounds) {
    __shared__ float4 stage[2][64];
    __pipeline_memcpy_async(&stage[0][threadIdx.x], &x[threadIdx.x], 16);
    __pipeline_commit();
    for (int i = 0; i < rounds; i++) {
        if (i + 1 < rounds) __pipeline_memcpy_async(&stage[(i + 1) & 1][threadIdx.x], &x[(i + 1) * 64 + threadIdx.x], 16);
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        y[i * 64 + threadIdx.x] = stage[i & 1][63 - threadIdx.x];
        __syncthreads();
    }
}
