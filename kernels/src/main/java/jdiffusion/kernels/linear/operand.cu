// Operands as a library takes them: of one 16-bit type, without gaps between rows, images with their border of zeros.
#include "device.cuh"

static const int THREADS = 256;
static const int PER_THREAD = 4;

struct Operand {
    const void* from;
    void* to;
    long long size;
    int cols;
    int from_type;
    int to_type;
    int from_stride;
    int height;
    int width;
    int low;
    int from_height;
    int from_width;
};

// from [images, from_height, from_width, cols], its pixels from_stride apart; to [images, height, width, cols], in
// which an image lies `low` rows and columns from the start, and around it are zeros. size counts the elements of to.
extern "C" __global__ void __launch_bounds__(THREADS) operand(const __grid_constant__ Operand o) {
    long long first = (long long)blockIdx.x * (THREADS * PER_THREAD);
    u32 first_pixel = (u32)(first / o.cols);
    u32 first_col = (u32)(first - (long long)first_pixel * o.cols);
#pragma unroll
    for (int j = 0; j < PER_THREAD; j++) {
        u32 offset = j * THREADS + threadIdx.x;
        if (first + offset >= o.size) {
            return;
        }
        u32 pixels_on = (first_col + offset) / (u32)o.cols;
        u32 col = first_col + offset - pixels_on * o.cols;
        u32 pixel = first_pixel + pixels_on;
        u32 line = pixel / (u32)o.width;
        int x = (int)(pixel - line * o.width) - o.low;
        u32 image = line / (u32)o.height;
        int y = (int)(line - image * o.height) - o.low;
        float value = 0.0f;
        if (x >= 0 && x < o.from_width && y >= 0 && y < o.from_height) {
            long long from_pixel = ((long long)image * o.from_height + y) * o.from_width + x;
            value = load_as_float(o.from, o.from_type, from_pixel * o.from_stride + col);
        }
        store_as(o.to, o.to_type, first + offset, value);
    }
}
