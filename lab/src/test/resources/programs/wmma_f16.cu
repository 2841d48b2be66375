#include <mma.h>
using namespace nvcuda::wmma;
__global__ void wmma_f16(const half* a, const half* b, float* c, int k) {
    fragment<matrix_a, 16, 16, 16, half, row_major> fa;
    fragment<matrix_b, 16, 16, 16, half, col_major> fb;
    fragment<accumulator, 16, 16, 16, float> fc;
    fill_fragment(fc, 0.f);
    for (int i = 0; i < k; i += 16) { load_matrix_sync(fa, a + i, k); load_matrix_sync(fb, b + i, k); mma_sync(fc, fa, fb, fc); }
    for (int i = 0; i < fc.num_elements; i++) fc.x[i] *= 2;
    store_matrix_sync(c, fc, 16, mem_row_major);
}
