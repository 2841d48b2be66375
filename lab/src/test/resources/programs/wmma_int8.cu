#include <mma.h>
using namespace nvcuda::wmma;
__global__ void wmma_int8(const signed char* a, const signed char* b, int* c) {
    fragment<matrix_a, 16, 16, 16, signed char, row_major> fa;
    fragment<matrix_b, 16, 16, 16, signed char, col_major> fb;
    fragment<accumulator, 16, 16, 16, int> fc;
    fill_fragment(fc, 5);
    load_matrix_sync(fa, a, 16); load_matrix_sync(fb, b, 16);
    mma_sync(fc, fa, fb, fc);
    store_matrix_sync(c, fc, 16, mem_row_major);
}
