// What a library's product still lacks: bias, activation, and how it meets the output. One pass over [rows, cols].
#include "device.cuh"

enum Mode : int { STORE = 0, ADD = 1, MULTIPLY = 2 };

static const int THREADS = 256;
static const int PER_THREAD = 4;

struct Epilogue {
    const void* y;
    const void* bias;
    const float* gate;
    void* out;
    long long size;
    int cols;
    int y_type;
    int bias_type;
    int out_type;
    int out_stride;
    int activation;
    int mode;
    int gate_stride;
    int rows_per_gate;
};

// y [rows, cols] without gaps; bias [cols] or null; gate [rows / rows_per_gate, cols] or null; out [rows, cols].
extern "C" __global__ void __launch_bounds__(THREADS) epilogue(const __grid_constant__ Epilogue e) {
    // One division of 64 bits for all: the rest is counted from the block's first element.
    long long first = (long long)blockIdx.x * (THREADS * PER_THREAD);
    long long first_row = first / e.cols;
    u32 first_col = (u32)(first - first_row * e.cols);
#pragma unroll
    for (int j = 0; j < PER_THREAD; j++) {
        u32 offset = j * THREADS + threadIdx.x;
        if (first + offset >= e.size) {
            return;
        }
        u32 rows_down = (first_col + offset) / (u32)e.cols;
        long long row = first_row + rows_down;
        int col = (int)(first_col + offset - rows_down * e.cols);
        float y = load_as_float(e.y, e.y_type, first + offset);
        if (e.bias != nullptr) {
            y += load_as_float(e.bias, e.bias_type, col);
        }
        y = activate(e.activation, y);
        long long at = row * e.out_stride + col;
        if (e.mode == ADD) {
            float factor = e.gate == nullptr ? 1.0f : e.gate[row / e.rows_per_gate * e.gate_stride + col];
            y = load_as_float(e.out, e.out_type, at) + factor * y;
        } else if (e.mode == MULTIPLY) {
            y *= load_as_float(e.out, e.out_type, at);
        }
        store_as(e.out, e.out_type, at, y);
    }
}
