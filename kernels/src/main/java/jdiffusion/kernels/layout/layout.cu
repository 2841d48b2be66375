// Images between channels-first and channels-last. A block moves a tile of 32 pixels of a line by up to 32 channels
// through shared memory, so that both sides are read and written in the order of memory.
#include "rows.cuh"

// first is [batch, c, h, w], last [batch, h, w, c]. tile is the number of a tile's channels.
struct Layout {
    Rows first;
    Rows last;
    int lines;
    int c;
    int h;
    int w;
    int tile;
};

static constexpr int PIXELS = 32;
static constexpr int THREADS = 256;

// Where an element of the tile lies in shared memory. Lanes go along pixels on one side, and along channels, then
// pixels, on the other; turning each channel's pixels by its share of the 32 banks keeps both free of conflicts when
// the tile has 3 channels or a power of two.
static __device__ __forceinline__ int in_tile(const Layout& k, int channel, int pixel) {
    int turn = (PIXELS + k.tile - 1) / k.tile;
    return channel * PIXELS + (pixel + channel * turn) % PIXELS;
}

// The part of the image that a block moves: its first pixel and channel, and how many of each there are.
struct Part {
    int pixel;
    int channel;
    int pixels;
    int channels;
};

static __device__ __forceinline__ Part part_of_block(const Layout& k) {
    int pixel = blockIdx.x * PIXELS;
    int channel = blockIdx.y * k.tile;
    return {pixel, channel, min(PIXELS, k.w - pixel), min(k.tile, k.c - channel)};
}

// Calls body(channel, pixel) for every element of the part in channels-first order, a warp for each channel.
template <typename Body> __device__ __forceinline__ void for_each_first(const Part& part, Body body) {
    int pixel = threadIdx.x % PIXELS;
    for (int channel = threadIdx.x / PIXELS; channel < part.channels; channel += THREADS / PIXELS) {
        if (pixel < part.pixels) {
            body(channel, pixel);
        }
    }
}

// The same in channels-last order.
template <typename Body> __device__ __forceinline__ void for_each_last(const Part& part, Body body) {
    for (int i = threadIdx.x; i < part.channels * part.pixels; i += THREADS) {
        body(i % part.channels, i / part.channels);
    }
}

static __device__ __forceinline__ long long row_of_first(const Layout& k, int line, int channel) {
    return ((long long)(line / k.h) * k.c + channel) * k.h + line % k.h;
}

extern "C" __global__ void __launch_bounds__(THREADS) layout_channels_last(Layout k) {
    __shared__ float tile[PIXELS * 32];
    Part part = part_of_block(k);
    for (int line = blockIdx.z; line < k.lines; line += gridDim.z) {
        for_each_first(part, [&](int channel, int pixel) {
            long long row = row_of_first(k, line, part.channel + channel);
            tile[in_tile(k, channel, pixel)] = load<1>(k.first, row, part.pixel + pixel).v[0];
        });
        __syncthreads();
        for_each_last(part, [&](int channel, int pixel) {
            long long row = (long long)line * k.w + part.pixel + pixel;
            store<1>(k.last, row, part.channel + channel, {tile[in_tile(k, channel, pixel)]});
        });
        __syncthreads();
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) layout_channels_first(Layout k) {
    __shared__ float tile[PIXELS * 32];
    Part part = part_of_block(k);
    for (int line = blockIdx.z; line < k.lines; line += gridDim.z) {
        for_each_last(part, [&](int channel, int pixel) {
            long long row = (long long)line * k.w + part.pixel + pixel;
            tile[in_tile(k, channel, pixel)] = load<1>(k.last, row, part.channel + channel).v[0];
        });
        __syncthreads();
        for_each_first(part, [&](int channel, int pixel) {
            long long row = row_of_first(k, line, part.channel + channel);
            store<1>(k.first, row, part.pixel + pixel, {tile[in_tile(k, channel, pixel)]});
        });
        __syncthreads();
    }
}
