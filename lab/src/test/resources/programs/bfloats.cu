#include <cuda_bf16.h>
__global__ void bfloats(const __nv_bfloat16* a, const __nv_bfloat16* b, float* y) {
    int i = threadIdx.x;
    y[2 * i] = __bfloat162float(__hadd(a[i], b[i]));
    y[2 * i + 1] = __bfloat162float(__hfma(a[i], b[i], a[i]));
}
