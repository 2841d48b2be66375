// What a library's product still lacks: bias, activation, and how it meets the output. One pass over [m, n].
#include "epilogue.cuh"

static const int THREADS = 256;
static const int PER_THREAD = 4;

// y [m, n] of y_type, without gaps between rows.
extern "C" __global__ void __launch_bounds__(THREADS)
        epilogue(const void* y, int y_type, const __grid_constant__ Output o) {
    // One division of 64 bits for all: the rest is counted from the block's first element.
    long long size = (long long)o.m * o.n;
    long long first = (long long)blockIdx.x * (THREADS * PER_THREAD);
    int first_row = (int)(first / o.n);
    u32 first_col = (u32)(first - (long long)first_row * o.n);
#pragma unroll
    for (int j = 0; j < PER_THREAD; j++) {
        u32 offset = j * THREADS + threadIdx.x;
        if (first + offset >= size) {
            return;
        }
        u32 rows_down = (first_col + offset) / (u32)o.n;
        int row = first_row + (int)rows_down;
        int col = (int)(first_col + offset - rows_down * o.n);
        float value = load_as_float(y, y_type, first + offset);
        if (o.bias != nullptr) {
            value += load_as_float(o.bias, o.bias_type, (long long)(row / o.bias_rows) * o.bias_stride + col);
        }
        value = activate(o.activation, value);
        long long at = (long long)row * o.out_stride + col;
        if (o.mode == ADD) {
            float factor = o.gate == nullptr ? 1.0f : o.gate[(long long)(row / o.gate_rows) * o.gate_stride + col];
            value = load_as_float(o.out, o.out_type, at) + factor * value;
        } else if (o.mode == MULTIPLY) {
            value *= load_as_float(o.out, o.out_type, at);
        }
        store_as(o.out, o.out_type, at, value);
    }
}
