// Linear layers with weights of float8 for every card from compute capability 8.9 on: linear_fp8.cuh.
#include "linear_fp8.cuh"

static const float LARGEST = 448.0f;
// A row of nothing larger is divided by the scale of this, so that all stays finite.
static const float LEAST = 7.888609e-31f;  // 2^-100
static const int ROWS_OF_BLOCK = 4;

struct Quantise {
    Rows x;         // F32, BF16 or F16
    u8* to;         // [rows, padded]
    float* scales;  // [rows]
    int rows, cols;
    int padded;  // cols up to a multiple of 16; zeros there
};

static __device__ __forceinline__ u16 pack_e4m3(float low, float high) {
    u16 y;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(y) : "f"(high), "f"(low));
    return y;
}

// A warp for each row: what is not finite makes its row NaN.
extern "C" __global__ void __launch_bounds__(32 * ROWS_OF_BLOCK) quantise_rows(const __grid_constant__ Quantise q) {
    int row = blockIdx.x * ROWS_OF_BLOCK + threadIdx.x / 32;
    if (row >= q.rows) {
        return;
    }
    int first = threadIdx.x % 32 * 4;
    long long from = (long long)row * q.x.stride;
    float x[4];
    float largest = LEAST;
    for (int col = first; col < q.cols; col += 128) {
        load_four(x, q.x.p, q.x.type, from + col, q.cols - col);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            largest = fmaxf(largest, fabsf(x[j]));
        }
    }
    largest = warp_max(largest);
    float factor = __fdiv_rn(LARGEST, largest);
    for (int col = first; col < q.padded; col += 128) {
        load_four(x, q.x.p, q.x.type, from + col, q.cols - col);
        u32 low = pack_e4m3(__fmul_rn(x[0], factor), __fmul_rn(x[1], factor));
        u32 high = pack_e4m3(__fmul_rn(x[2], factor), __fmul_rn(x[3], factor));
        *(u32*)(q.to + (long long)row * q.padded + col) = high << 16 | low;
    }
    if (first == 0) {
        q.scales[row] = __fdiv_rn(largest, LARGEST);
    }
}

FLOAT8_LINEAR(linear_fp8_e4m3_any_large, LargeTile, 1, e4m3, true, AnyBytes)
FLOAT8_LINEAR(linear_fp8_e4m3_any_small, SmallTile, 3, e4m3, true, AnyBytes)
FLOAT8_LINEAR(linear_fp8_e5m2_any_large, LargeTile, 1, e5m2, true, AnyBytes)
FLOAT8_LINEAR(linear_fp8_e5m2_any_small, SmallTile, 3, e5m2, true, AnyBytes)
