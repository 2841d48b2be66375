// The loaders for operands that are matrices, as gemm.cuh wants loaders.
#pragma once
#include "tiles.cuh"

struct Rows {
    const void* p;  // [rows, k]
    int stride;     // elements
    int type;
};

// Rows of T, 16-byte aligned, k a multiple of 8: straight into shared memory.
template <typename T, int ROWS, int THREADS> struct AsyncRows {
    typedef Rows Operand;
    static constexpr int CHUNKS = ROWS * 4 / THREADS;
    static constexpr int STEP = THREADS / 4;  // rows between a thread's chunks; a multiple of 8 keeps the XOR

    const u8* from;
    long long step;  // bytes between a thread's chunks
    u32 there;  // bit i: chunk i's row exists
    int left;  // of k, from this thread's chunk on
    u32 to;

    __device__ __forceinline__ void open(const Rows& o, int first, int rows, int k) {
        int row = threadIdx.x / 4;
        int chunk = threadIdx.x % 4;
        to = chunk_offset(row, chunk);
        left = k - chunk * 8;
        from = (const u8*)o.p + ((long long)(first + row) * o.stride + chunk * 8) * 2;
        step = (long long)STEP * o.stride * 2;
        there = 0;
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            there |= (u32)(first + row + i * STEP < rows) << i;
        }
    }

    __device__ __forceinline__ void fetch(u32 tile) {
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            copy_async(tile + to + i * STEP * ROW_BYTES, from + i * step, (there >> i & 1) & (left > 0));
        }
        from += ROW_BYTES;
        left -= TILE_K;
    }

    __device__ __forceinline__ void land(u32 tile) {
    }
};

// The same of a matrix of two halves, one above the other: the first half of ROWS are rows of the upper one from
// `first` on, the others those of the lower one. `rows` are those of a half.
template <typename T, int ROWS, int THREADS> struct AsyncHalves : AsyncRows<T, ROWS, THREADS> {
    typedef AsyncRows<T, ROWS, THREADS> Half;
    static constexpr int CHUNKS = Half::CHUNKS / 2;
    static_assert(Half::CHUNKS % 2 == 0, "a thread has as many chunks of each half");

    long long lower;  // bytes from a row to the lower half's

    __device__ __forceinline__ void open(const Rows& o, int first, int rows, int k) {
        Half::open(o, first, rows, k);
        lower = (long long)rows * o.stride * 2;
    }

    __device__ __forceinline__ void fetch(u32 tile) {
#pragma unroll
        for (int i = 0; i < 2 * CHUNKS; i++) {
            copy_async(tile + this->to + i * Half::STEP * ROW_BYTES,
                       this->from + i / CHUNKS * lower + i % CHUNKS * this->step,
                       (this->there >> i % CHUNKS & 1) & (this->left > 0));
        }
        this->from += ROW_BYTES;
        this->left -= TILE_K;
    }
};

// Eight neighbours of a stored type, packed as in memory, on their way to T.
template <typename T> struct Chunk {
    u32 raw[8];

    // All eight at once: p is aligned to their size, or to 16 bytes.
    __device__ __forceinline__ void load(const u8* p, int bytes) {
        if (bytes == 1) {
            uint2 all = *(const uint2*)p;
            raw[0] = all.x, raw[1] = all.y;
            return;
        }
        uint4 low = *(const uint4*)p;
        raw[0] = low.x, raw[1] = low.y, raw[2] = low.z, raw[3] = low.w;
        if (bytes == 4) {
            uint4 high = ((const uint4*)p)[1];
            raw[4] = high.x, raw[5] = high.y, raw[6] = high.z, raw[7] = high.w;
        }
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int j = 0; j < 8; j++) {
            raw[j] = 0;
        }
    }

    // Rounds to T and writes 16 bytes of shared memory.
    __device__ __forceinline__ void write(u32 to, int type) const {
        u32 y[4];
        switch (type) {
            case F32:
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    y[j] = pack<T>(__uint_as_float(raw[2 * j]), __uint_as_float(raw[2 * j + 1]));
                }
                break;
            case BF16:
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    y[j] = pack<T>(__uint_as_float(raw[j] << 16), __uint_as_float(raw[j] & 0xFFFF0000u));
                }
                break;
            case F16:
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    y[j] = pack<T>(to_float(f16{(u16)raw[j]}), to_float(f16{(u16)(raw[j] >> 16)}));
                }
                break;
            case F8_E4M3:
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    u32 two = raw[j / 2] >> j % 2 * 16;
                    y[j] = pack<T>(f8_e4m3_to_float((u8)two), f8_e4m3_to_float((u8)(two >> 8)));
                }
                break;
            default:
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    u32 two = raw[j / 2] >> j % 2 * 16;
                    y[j] = pack<T>(f8_e5m2_to_float((u8)two), f8_e5m2_to_float((u8)(two >> 8)));
                }
        }
        write_chunk(to, y[0], y[1], y[2], y[3]);
    }
};

// Rows of any stored type, stride and alignment: through registers, where they are rounded to T.
template <typename T, int ROWS, int THREADS> struct ConvertingRows {
    typedef Rows Operand;
    static constexpr int CHUNKS = ROWS * 4 / THREADS;
    static constexpr int STEP = THREADS / 4;

    Chunk<T> chunks[CHUNKS];
    const u8* from;
    long long step;
    u32 there;
    int left;
    u32 to;
    int type;
    int bytes;
    bool aligned;

    __device__ __forceinline__ void open(const Rows& o, int first, int rows, int k) {
        int row = threadIdx.x / 4;
        int chunk = threadIdx.x % 4;
        to = chunk_offset(row, chunk);
        left = k - chunk * 8;
        type = o.type;
        bytes = bytes_of(type);
        from = (const u8*)o.p + ((long long)(first + row) * o.stride + chunk * 8) * bytes;
        step = (long long)STEP * o.stride * bytes;
        aligned = ((u64)o.p | (u64)((long long)o.stride * bytes)) % (bytes == 1 ? 8 : 16) == 0 && k % 8 == 0;
        there = 0;
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            there |= (u32)(first + row + i * STEP < rows) << i;
        }
    }

    __device__ __forceinline__ void fetch(u32 tile) {
        if (aligned) {
#pragma unroll
            for (int i = 0; i < CHUNKS; i++) {
                if ((there >> i & 1) & (left > 0)) {
                    chunks[i].load(from + i * step, bytes);
                } else {
                    chunks[i].clear();
                }
            }
        }
        from += TILE_K * bytes;
        left -= TILE_K;
    }

    __device__ __forceinline__ void land(u32 tile) {
        if (aligned) {
#pragma unroll
            for (int i = 0; i < CHUNKS; i++) {
                chunks[i].write(tile + to + i * STEP * ROW_BYTES, type);
            }
            return;
        }
        // Rare: one by one, and only now. The lanes of each next two rows begin two elements on: all banks are met.
        const u8* p = from - TILE_K * bytes;
        int first = threadIdx.x / 8 * 2;
#pragma unroll 1
        for (int i = 0; i < CHUNKS; i++) {
            int count = there >> i & 1 ? left + TILE_K : 0;
#pragma unroll 1
            for (int n = 0; n < 8; n++) {
                int j = (first + n) % 8;
                T x = from_float<T>(j < count ? load_as_float(p + i * step, type, j) : 0.0f);
                asm volatile("st.shared.b16 [%0], %1;" ::"r"(tile + to + i * STEP * ROW_BYTES + j * 2), "h"(x.bits)
                             : "memory");
            }
        }
    }
};
