#include <cuda_fp16.h>
__global__ void half_pairs(const __half2* a, const __half2* b, float* y) {
    int i = threadIdx.x;
    __half2 v = __hfma2(a[i], b[i], __float2half2_rn(0.25f));
    v = __hadd2(v, __lowhigh2highlow(a[i]));
    y[3 * i] = __low2float(v); y[3 * i + 1] = __high2float(v);
    y[3 * i + 2] = __hgt(__low2half(a[i]), __high2half(b[i])) ? 1.f : 0.f;
}
