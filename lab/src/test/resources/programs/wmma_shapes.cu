#include <mma.h>
using namespace nvcuda::wmma;
__global__ void wmma_shapes(const half* a, const half* b, half* c) {
    fragment<matrix_a, 32, 8, 16, half, row_major> fa;
    fragment<matrix_b, 32, 8, 16, half, row_major> fb;
    fragment<accumulator, 32, 8, 16, half> fc;
    load_matrix_sync(fa, a, 16); load_matrix_sync(fb, b, 8); load_matrix_sync(fc, c, 8, mem_row_major);
    mma_sync(fc, fa, fb, fc);
    store_matrix_sync(c, fc, 8, mem_row_major);
}
