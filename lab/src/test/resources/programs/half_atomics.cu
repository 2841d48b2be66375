#include <cuda_fp16.h>
#include <cuda_bf16.h>
__global__ void half_atomics(const half* x, half* y, __nv_bfloat16* z, unsigned short* w) {
    __shared__ half s;
    int i = threadIdx.x;
    if (i == 0) {
        s = 0;
    }
    __syncthreads();
    atomicAdd(&s, x[i]);
    atomicAdd((half2*) y + i % 2, __halves2half2(x[i], __hneg(x[i])));
    atomicAdd(z + i % 3, __float2bfloat16(0.5f));
    unsigned short old = w[1];
    unsigned short seen;
    do {
        seen = old;
        old = atomicCAS(w + 1, seen, (unsigned short) (seen + 3));
    } while (seen != old);
    __syncthreads();
    if (i == 0) {
        y[4] = s;
    }
}
