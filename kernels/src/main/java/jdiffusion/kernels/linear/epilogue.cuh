// What becomes of a product's sums: bias, activation, gate, and the way to global memory.
#pragma once
#include "tiles.cuh"

enum Mode : int { STORE = 0, ADD = 1, MULTIPLY = 2 };

// out = act(y), out + gate act(y) or out act(y) with y = scale a b^T + bias.
struct Output {
    const void* bias;   // [batch, n] of bias_type, or null
    const float* gate;  // [batch, n], or null for 1
    void* out;          // [m, n] of out_type
    int bias_type;
    int out_type;  // F32, BF16 or F16
    int activation;
    int mode;
    int out_stride;   // elements
    int gate_stride;  // elements
    int gate_rows;    // rows of out for each row of gate
    int bias_stride;  // elements
    int bias_rows;    // rows of out for each row of bias
    int m, n, k;
    int first_tile;  // of this problem in the launch
    float scale;     // of the product, applied before this file's part
};

// Bias and activation, in place: a thread has one column, and reads a bias when it comes to the first row of it.
template <class Shape>
__device__ __forceinline__ void activate_rows(const Output& o, float* staged, int first_row, int first_col) {
    int col = threadIdx.x % Shape::N;
    float bias = 0.0f;
    int next_bias = o.bias != nullptr && first_col + col < o.n ? 0 : o.m;
#pragma unroll 1
    for (int row = threadIdx.x / Shape::N; row < Shape::WARP_M; row += Shape::THREADS / Shape::N) {
        if (first_row + row >= next_bias && first_row + row < o.m) {
            int run = (first_row + row) / o.bias_rows;
            bias = load_as_float(o.bias, o.bias_type, (long long)run * o.bias_stride + first_col + col);
            next_bias = (run + 1) * o.bias_rows;
        }
        float* y = staged + row * Shape::STAGED_COLS + col;
        *y = activate(o.activation, *y + bias);
    }
}

// The same where the left half of the columns are values and the right half their gates, whose biases lie behind those
// of the values: values times activated gates take the place of the values.
template <class Shape>
__device__ __forceinline__ void gate_rows(const Output& o, float* staged, int first_col) {
    constexpr int COLS = Shape::N / 2;
    int col = threadIdx.x % COLS;
    float value_bias = 0.0f;
    float gate_bias = 0.0f;
    if (o.bias != nullptr && first_col + col < o.n) {
        value_bias = load_as_float(o.bias, o.bias_type, first_col + col);
        gate_bias = load_as_float(o.bias, o.bias_type, (long long)o.n + first_col + col);
    }
#pragma unroll 1
    for (int row = threadIdx.x / COLS; row < Shape::WARP_M; row += Shape::THREADS / COLS) {
        float* y = staged + row * Shape::STAGED_COLS + col;
        *y = (*y + value_bias) * activate(o.activation, y[COLS] + gate_bias);
    }
}

// Four neighbours of out or the gate, of which `count` are there; together where their address allows it.
static __device__ __forceinline__ void load_four(float (&y)[4], const void* p, int type, long long at, int count) {
    bool whole = count >= 4 && ((u64)p + at * bytes_of(type)) % (4 * bytes_of(type)) == 0;
    if (whole && type == F32) {
        float4 all = *(const float4*)((const float*)p + at);
        y[0] = all.x, y[1] = all.y, y[2] = all.z, y[3] = all.w;
    } else if (whole) {
        uint2 all = *(const uint2*)((const u16*)p + at);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            u16 bits = (u16)((j < 2 ? all.x : all.y) >> j % 2 * 16);
            y[j] = type == BF16 ? to_float(bf16{bits}) : to_float(f16{bits});
        }
    } else {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            y[j] = j >= count ? 0.0f : type == F32 ? ((const float*)p)[at + j]
                    : type == BF16 ? to_float(((const bf16*)p)[at + j]) : to_float(((const f16*)p)[at + j]);
        }
    }
}

static __device__ __forceinline__ void store_four(const float (&y)[4], void* p, int type, long long at, int count) {
    bool whole = count >= 4 && ((u64)p + at * bytes_of(type)) % (4 * bytes_of(type)) == 0;
    if (whole && type == F32) {
        *(float4*)((float*)p + at) = make_float4(y[0], y[1], y[2], y[3]);
    } else if (whole) {
        *(uint2*)((u16*)p + at) = type == BF16 ? make_uint2(pack<bf16>(y[0], y[1]), pack<bf16>(y[2], y[3]))
                : make_uint2(pack<f16>(y[0], y[1]), pack<f16>(y[2], y[3]));
    } else {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (j < count) {
                store_as(p, type, at + j, y[j]);
            }
        }
    }
}

// How y, four neighbours after bias and activation of which `count` are there, meets out and what it holds there.
static __device__ __forceinline__ void meet(const Output& o, float (&y)[4], const float (&old)[4], int row, int col,
                                            int count) {
    if (o.mode != STORE) {
        float gate[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        if (o.gate != nullptr) {
            load_four(gate, o.gate, F32, (long long)(row / o.gate_rows) * o.gate_stride + col, count);
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            y[j] = o.mode == ADD ? old[j] + gate[j] * y[j] : old[j] * y[j];
        }
    }
    store_four(y, o.out, o.out_type, (long long)row * o.out_stride + col, count);
}

// The first COLS columns of rows in shared memory to out: a thread has the same four columns of every row it takes, so
// that a warp writes up to 512 bytes side by side.
template <class Shape, int COLS = Shape::N>
__device__ __forceinline__ void store_rows(const Output& o, const float* staged, int first_row, int first_col) {
    constexpr int LANES = COLS / 4;
    int col = threadIdx.x % LANES * 4;
    int count = o.n - (first_col + col);
#pragma unroll 1
    for (int row = threadIdx.x / LANES; row < Shape::WARP_M; row += Shape::THREADS / LANES) {
        int out_row = first_row + row;
        if (count <= 0 || out_row >= o.m) {
            break;
        }
        float4 sums = *(const float4*)(staged + row * Shape::STAGED_COLS + col);
        float y[4] = {sums.x, sums.y, sums.z, sums.w};
        float old[4];
        if (o.mode != STORE) {
            load_four(old, o.out, o.out_type, (long long)out_row * o.out_stride + first_col + col, count);
        }
        meet(o, y, old, out_row, first_col + col, count);
    }
}
