#include <mma.h>
using namespace nvcuda::wmma;
namespace small = nvcuda::wmma::experimental;
__global__ void wmma_double(const double* a, const double* b, double* c) {
    __shared__ double tile[64];
    fragment<matrix_a, 8, 8, 4, double, row_major> fa;
    fragment<matrix_b, 8, 8, 4, double, col_major> fb;
    fragment<accumulator, 8, 8, 4, double> fc;
    load_matrix_sync(fc, c, 8, mem_row_major);
    for (int k = 0; k < 12; k += 4) {
        load_matrix_sync(fa, a + k, 12);
        load_matrix_sync(fb, b + k, 12);
        mma_sync(fc, fa, fb, fc);
    }
    store_matrix_sync(tile, fc, 8, mem_col_major);
    __syncwarp();
    c[threadIdx.x] = tile[threadIdx.x];
    c[threadIdx.x + 32] = tile[threadIdx.x + 32];
}
__device__ void stir(unsigned* words, int count) {
    for (int i = threadIdx.x; i < count; i += 32) {
        words[i] *= 0x9e3779b1;
    }
    __syncwarp();
}
template <typename T> __device__ void nibbles(unsigned* a, unsigned* b, int* c) {
    stir(a, 64);
    stir(b, 32);
    fragment<matrix_a, 8, 8, 32, T, row_major> fa;
    fragment<matrix_b, 8, 8, 32, T, col_major> fb;
    fragment<accumulator, 8, 8, 32, int> fc;
    fill_fragment(fc, 2147483000);
    load_matrix_sync(fa, a, 64);
    load_matrix_sync(fb, b, 32);
    mma_sync(fc, fa, fb, fc, true);
    store_matrix_sync(c, fc, 8, mem_row_major);
}
__global__ void wmma_s4(unsigned* a, unsigned* b, int* c) { nibbles<small::precision::s4>(a, b, c); }
__global__ void wmma_u4(unsigned* a, unsigned* b, int* c) { nibbles<small::precision::u4>(a, b, c); }
__global__ void wmma_bits(unsigned* a, unsigned* b, int* c) {
    stir(a, 64);
    stir(b, 32);
    fragment<matrix_a, 8, 8, 128, small::precision::b1, row_major> fa;
    fragment<matrix_b, 8, 8, 128, small::precision::b1, col_major> fb;
    fragment<accumulator, 8, 8, 128, int> fc;
    fill_fragment(fc, 1000);
    load_matrix_sync(fa, a, 256);
    load_matrix_sync(fb, b, 128);
    bmma_sync(fc, fa, fb, fc);
    bmma_sync(fc, fa, fb, fc, small::bmmaBitOpAND);
    store_matrix_sync(c, fc, 8, mem_col_major);
}
