// Convolution of images [batch, height, width, cin], channels last, by square kernels, as a matrix product whose left
// rows are the patches under the kernel, one for each output pixel, in the order (ky, kx, channel). No patch is ever
// written to memory: the loaders below gather tiles of them. The right rows are the weights [cout, ky, kx, cin] that
// conv2d_reorder made. Products are bf16, since the autoencoder's activations overflow f16.
#include "../linear/gemm.cuh"

struct Images {
    const void* p;  // [batch, height, width, cin]
    int stride;     // elements between pixels
    int type;
    int pixel_chunks, row_chunks;  // for AsyncPatches: stride, and width * stride, in chunks of 8
    int height, width, cin;
    int out_height, out_width;
    int kernel, step, pad;  // pad: zeros before the first row and column
};

// Where the patch of an output pixel begins, in the padding perhaps.
struct Corner {
    int image, y, x;

    __device__ __forceinline__ Corner(const Images& o, int pixel) {
        int row = pixel / o.out_width;
        image = row / o.out_height;
        y = row % o.out_height * o.step - o.pad;
        x = pixel % o.out_width * o.step - o.pad;
    }
};

// bf16, cin a multiple of 8, pixels aligned to 16 bytes, kernels of at most 7: a chunk is 8 channels of one pixel, and
// goes straight into shared memory, as zeros in the padding.
template <typename T, int ROWS, int THREADS> struct AsyncPatches {
    typedef Images Operand;
    static constexpr int CHUNKS = ROWS * 4 / THREADS;
    static constexpr int STEP = THREADS / 4;
    static_assert(CHUNKS == 2, "inside has room for two");

    const Images* o;
    int from[CHUNKS];  // where the present row of the patch begins, in chunks from p on
    u32 inside;        // byte i: which rows of patch i, from the present on, are in the image; byte 2 + i: columns
    int kx, channel;   // of this thread's chunk of the next tile
    u32 to;

    __device__ __forceinline__ void open(const Images& operand, int first, int rows, int) {
        o = &operand;
        int row = threadIdx.x / 4;
        int chunk = threadIdx.x % 4;
        to = chunk_offset(row, chunk);
        inside = 0;
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            int pixel = first + row + i * STEP;
            Corner corner(*o, pixel);
            from[i] = (corner.image * o->height + corner.y) * o->row_chunks + corner.x * o->pixel_chunks;
            u32 ys = span(corner.y, o->height, o->kernel);
            u32 xs = span(corner.x, o->width, o->kernel);
            inside |= pixel < rows ? (xs << 16 | ys) << i * 8 : 0;
        }
        kx = 0;
        channel = chunk * 8;
        wrap();
    }

    // Bit i: at + i lies in 0 to size - 1, and i in 0 to count - 1.
    static __device__ __forceinline__ u32 span(int at, int size, int count) {
        int begin = min(max(-at, 0), count);
        int end = max(min(size - at, count), begin);
        return (1u << end) - (1u << begin);
    }

    // A chunk past a pixel's channels is one of the next pixel's; past the patch, no row is in the image.
    __device__ __forceinline__ void wrap() {
        while (channel >= o->cin) {
            channel -= o->cin;
            if (++kx == o->kernel) {
                kx = 0;
#pragma unroll
                for (int i = 0; i < CHUNKS; i++) {
                    from[i] += o->row_chunks;
                }
                inside = (inside & 0xFFFF0000u) | (inside >> 1 & 0x7F7Fu);
            }
        }
    }

    __device__ __forceinline__ void fetch(u32 tile) {
        int at = kx * o->pixel_chunks + channel / 8;
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            bool there = inside >> i * 8 & inside >> (16 + i * 8 + kx) & 1;
            copy_async(tile + to + i * STEP * ROW_BYTES, (const uint4*)o->p + (from[i] + at), there);
        }
        channel += TILE_K;
        wrap();
    }

    __device__ __forceinline__ void land(u32) {
    }
};

// Anything else, the first and last convolutions of an encoder: element by element, each rounded to T.
template <typename T, int ROWS, int THREADS> struct GatheredPatches {
    typedef Images Operand;

    const Images* o;
    int first, rows, k;
    int next;  // of k, of the next tile

    __device__ __forceinline__ void open(const Images& operand, int first_row, int all_rows, int all) {
        o = &operand;
        first = first_row;
        rows = all_rows;
        k = all;
        next = 0;
    }

    __device__ __forceinline__ void fetch(u32) {
        next += TILE_K;
    }

    // Neighbouring threads have neighbouring elements of a row.
    __device__ __forceinline__ void land(u32 tile) {
        int col = threadIdx.x % TILE_K;
        int e = next - TILE_K + col;
        int tap = e / o->cin;
#pragma unroll 1
        for (int row = threadIdx.x / TILE_K; row < ROWS; row += THREADS / TILE_K) {
            Corner corner(*o, first + row);
            int y = corner.y + tap / o->kernel;
            int x = corner.x + tap % o->kernel;
            float value = 0.0f;
            if (first + row < rows && e < k && y >= 0 && y < o->height && x >= 0 && x < o->width) {
                long long at = ((long long)corner.image * o->height + y) * o->width + x;
                value = load_as_float(o->p, o->type, at * o->stride + e % o->cin);
            }
            asm volatile("st.shared.b16 [%0], %1;" ::"r"(tile + chunk_offset(row, col / 8) + col % 8 * 2),
                         "h"(from_float<T>(value).bits) : "memory");
        }
    }
};

typedef Problems<Images, Rows, 1> Convolution;

extern "C" __global__ void __launch_bounds__(BroadTile::THREADS, 1)
conv2d_broad(const __grid_constant__ Convolution launch) {
    gemm<BroadTile, bf16, AsyncPatches, AsyncRows>(launch);
}

extern "C" __global__ void __launch_bounds__(LargeTile::THREADS, 2)
conv2d_large(const __grid_constant__ Convolution launch) {
    gemm<LargeTile, bf16, AsyncPatches, AsyncRows>(launch);
}

extern "C" __global__ void __launch_bounds__(SmallTile::THREADS, 3)
conv2d_small(const __grid_constant__ Convolution launch) {
    gemm<SmallTile, bf16, AsyncPatches, AsyncRows>(launch);
}

extern "C" __global__ void __launch_bounds__(SmallTile::THREADS, 3)
conv2d_gather(const __grid_constant__ Convolution launch) {
    gemm<SmallTile, bf16, GatheredPatches, ConvertingRows>(launch);
}

// Weights as stored, [cout, cin, taps], to [cout, taps, cin] in bf16; a thread for each kernel of one channel, `pairs`
// = cout * cin of them.
extern "C" __global__ void __launch_bounds__(256)
conv2d_reorder(const void* stored, int type, bf16* placed, int pairs, int cin, int taps) {
    int pair = blockIdx.x * 256 + threadIdx.x;
    if (pair >= pairs) {
        return;
    }
    long long from = (long long)pair * taps;
    long long to = (long long)(pair / cin) * taps * cin + pair % cin;
    for (int tap = 0; tap < taps; tap++) {
        placed[to + (long long)tap * cin] = from_float<bf16>(load_as_float(stored, type, from + tap));
    }
}
