#include <mma.h>
#include <cuda_bf16.h>
using namespace nvcuda::wmma;
__global__ void wmma_bf16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c) {
    __shared__ __nv_bfloat16 s[256];
    for (int i = threadIdx.x; i < 256; i += 32) s[i] = a[i];
    __syncwarp();
    fragment<matrix_a, 16, 16, 16, __nv_bfloat16, col_major> fa;
    fragment<matrix_b, 16, 16, 16, __nv_bfloat16, row_major> fb;
    fragment<accumulator, 16, 16, 16, float> fc;
    load_matrix_sync(fa, s, 16); load_matrix_sync(fb, b, 16); load_matrix_sync(fc, c, 16, mem_col_major);
    mma_sync(fc, fa, fb, fc);
    store_matrix_sync(c, fc, 16, mem_col_major);
}
