// Loaders for gemm.cuh that read weights in 4-bit codes as bitsandbytes stores them (jdiffusion.tensor.Weight.FourBit
// has the format) and hand the product what bitsandbytes would dequantise to. Elements exist in registers and in the
// tile in shared memory, never in global memory.
//
// An element is map[code] * scale, multiplied in float32 and rounded to the product's type. A scale is a float32, or
// map256[code] * nested scale + offset, each operation rounded: a contracted multiply-add would differ in the last bit.
//
// The map of 16 values lies in the lanes of a warp, twice, and a shuffle looks a value up: it takes the low 5 bits of a
// lane number, of which the fifth does not matter, so a shift alone makes a lane number of a code.
#pragma once
#include "gemm.cuh"

struct FourBit {
    const u8* codes;            // [rows * k / 2], the earlier element in the high half of a byte
    const float* map;           // [16]
    const void* absmax;         // one for each block: float32, or u8 codes when nested_absmax is there
    const float* nested_absmax; // one for each nested block, or null
    const float* nested_map;    // [256]
    float nested_offset;
    int block_shift;            // log2 of the elements of a block, 5 to 12
    int nested_shift;           // log2 of the scales of a nested block
};

static __device__ __forceinline__ float nested_scale(const FourBit& o, float mapped, float absmax) {
    return __fadd_rn(__fmul_rn(mapped, absmax), o.nested_offset);
}

constexpr int RUN = 2 * TILE_K;       // elements that the two threads of a row read together
constexpr int RUNS = 16;              // of which the scales are made at once
constexpr int WARP_ROWS = 16;         // that a warp reads
constexpr int SCALE_STRIDE = 18;      // between runs: the lanes of two rows and 16 runs hit 32 banks
constexpr int NESTED_AT_HAND = 64;    // nested scales, enough for k under 15000

// What a block keeps in shared memory to make scales.
template <int WARPS> struct FourBitScales {
    float nested_map[256];
    float nested_absmax[NESTED_AT_HAND];
    float scales[WARPS][2][RUNS * SCALE_STRIDE];

    static __device__ __forceinline__ FourBitScales& memory() {
        __shared__ FourBitScales shared;
        return shared;
    }
};

// Rows of whole blocks: k a multiple of 64, blocks of at least 64, codes aligned to 16 bytes.
//
// A row has two threads. For every second tile each loads 16 bytes of its row, so that the pair reads a whole sector,
// and by two shuffles they trade halves: each then holds 16 codes, two chunks, of this tile and of the next. The load
// for the next two tiles is under way meanwhile.
//
// Scales are made by the warp that needs them, for its 16 rows and RUNS runs of 64 elements at once, in shared memory:
// bytes of scales lie side by side along a row, and one at a time they would cost a sector each. The scales of the next
// RUNS runs are made two rows at a time while the present ones are used.
template <typename T, int ROWS, int THREADS> struct FourBitRows {
    typedef FourBit Operand;
    static_assert(THREADS == 2 * ROWS, "two threads a row");
    static constexpr int STEPS = WARP_ROWS / 2;  // in which the scales of RUNS runs are made
    typedef FourBitScales<THREADS / 32> Scales;

    const FourBit* o;
    Scales* shared;
    const u8* from;      // of this thread, in the next run to load
    int left;            // of k, from this thread's codes in that run on; 0 in a row that is not there
    uint4 codes;         // of the run after the present tile's
    uint2 later;         // codes of the present run's second tile
    float value;         // of the map, of code lane % 16
    float scale;         // of the present run
    u32 to;
    int tile;            // number of the next tile to land
    // For making scales.
    int rows, runs;      // of the matrix
    int warp_row;        // first of the warp's rows
    int nested_from;     // nested block of nested_absmax[0]
    u32 made;            // what the next scale is made of, as loaded
    int made_block;      // its block, -1 when there is none

    __device__ __forceinline__ void open(const FourBit& operand, int first, int matrix_rows, int k) {
        o = &operand;
        shared = &Scales::memory();
        int lane = threadIdx.x % 32;
        int row = threadIdx.x / 2;
        int half = threadIdx.x % 2;
        rows = matrix_rows;
        runs = k / RUN;
        warp_row = first + threadIdx.x / 32 * WARP_ROWS;
        value = o->map[lane % 16];
        to = chunk_offset(row, 2 * half);
        tile = 0;
        left = first + row < rows ? k - half * TILE_K : 0;
        from = o->codes + ((long long)(first + row) * k + half * TILE_K) / 2;
        if (o->nested_absmax != nullptr) {
            nested_from = block_of(first, 0) >> o->nested_shift;
            int count = (block_of(min(first + ROWS, rows) - 1, runs - 1) >> o->nested_shift) - nested_from + 1;
            for (int i = threadIdx.x; i < 256; i += THREADS) {
                shared->nested_map[i] = o->nested_map[i];
            }
            for (int i = threadIdx.x; i < min(count, NESTED_AT_HAND); i += THREADS) {
                shared->nested_absmax[i] = o->nested_absmax[nested_from + i];
            }
            __syncthreads();
        }
        load_codes();
#pragma unroll 1
        for (int step = 0; step < STEPS; step++) {
            load_scale(0, step);
            make_scale(0, step);
        }
        __syncwarp();
    }

    __device__ __forceinline__ void fetch(u32) {
        if (tile % 2 == 1) {
            load_codes();
            int run = tile / 2;
            if (run % RUNS < STEPS) {
                load_scale(run / RUNS + 1, run % RUNS);
            }
        }
    }

    __device__ __forceinline__ void land(u32 at) {
        int run = tile / 2;
        if (tile % 2 == 0) {
            bool second = threadIdx.x % 2 == 1;
            scale = scales(run / RUNS)[run % RUNS * SCALE_STRIDE + threadIdx.x % 32 / 2];
            u32 x = __shfl_xor_sync(0xFFFFFFFFu, second ? codes.x : codes.z, 1);
            u32 y = __shfl_xor_sync(0xFFFFFFFFu, second ? codes.y : codes.w, 1);
            later = second ? make_uint2(codes.z, codes.w) : make_uint2(x, y);
            expand(at + to, second ? x : codes.x);
            expand(at + (to ^ 16), second ? y : codes.y);
        } else {
            expand(at + to, later.x);
            expand(at + (to ^ 16), later.y);
            if (run % RUNS < STEPS) {
                make_scale(run / RUNS + 1, run % RUNS);
            }
            __syncwarp();
        }
        tile++;
    }

    // Eight codes to a chunk. Byte b of the word has elements 2 b and 2 b + 1.
    __device__ __forceinline__ void expand(u32 chunk, u32 word) const {
        u32 pairs[4];
#pragma unroll
        for (int b = 0; b < 4; b++) {
            float low = __shfl_sync(0xFFFFFFFFu, value, word >> (8 * b + 4));
            float high = __shfl_sync(0xFFFFFFFFu, value, word >> (8 * b));
            pairs[b] = pack<T>(__fmul_rn(low, scale), __fmul_rn(high, scale));
        }
        write_chunk(chunk, pairs[0], pairs[1], pairs[2], pairs[3]);
    }

    __device__ __forceinline__ void load_codes() {
        codes = make_uint4(0, 0, 0, 0);
        if (left > 0) {
            codes = *(const uint4*)from;
        }
        left -= RUN;
        from += RUN / 2;
    }

    __device__ __forceinline__ int block_of(int row, int run) const {
        return (int)(((long long)row * runs + run) >> (o->block_shift - 6));
    }

    __device__ __forceinline__ float* scales(int group) const {
        return shared->scales[threadIdx.x / 32][group % 2];
    }

    // A lane's part of one step in making the scales of a group of RUNS runs: row lane / 16 of two, run lane % 16.
    __device__ __forceinline__ void load_scale(int group, int step) {
        int row = warp_row + 2 * step + threadIdx.x % 32 / 16;
        int run = group * RUNS + threadIdx.x % 16;
        made_block = -1;
        if (row < rows && run < runs) {
            made_block = block_of(row, run);
            made = o->nested_absmax != nullptr ? ((const u8*)o->absmax)[made_block]
                                               : ((const u32*)o->absmax)[made_block];
        }
    }

    __device__ __forceinline__ void make_scale(int group, int step) {
        float result = 0.0f;
        if (made_block >= 0) {
            result = __uint_as_float(made);
            if (o->nested_absmax != nullptr) {
                int nested = made_block >> o->nested_shift;
                float absmax = nested - nested_from < NESTED_AT_HAND ? shared->nested_absmax[nested - nested_from]
                                                             : o->nested_absmax[nested];
                result = nested_scale(*o, shared->nested_map[made], absmax);
            }
        }
        int row = 2 * step + threadIdx.x % 32 / 16;
        scales(group)[threadIdx.x % 16 * SCALE_STRIDE + row] = result;
    }
};

// Any k and blocks of any size: element by element, each thread 16 of a row. Rows may begin within a byte or a block.
template <typename T, int ROWS, int THREADS> struct FourBitElements {
    typedef FourBit Operand;
    static_assert(THREADS == 2 * ROWS, "two threads a row");

    const FourBit* o;
    long long element;  // of this thread in the tile that lands next
    int left;           // of k, from there on; 0 in a row that is not there
    u32 to;

    __device__ __forceinline__ void open(const FourBit& operand, int first, int rows, int k) {
        o = &operand;
        int row = threadIdx.x / 2;
        int half = threadIdx.x % 2;
        element = (long long)(first + row) * k + half * 16;
        left = first + row < rows ? k - half * 16 : 0;
        to = chunk_offset(row, 2 * half);
    }

    __device__ __forceinline__ void fetch(u32) {
    }

    __device__ __forceinline__ void land(u32 at) {
#pragma unroll 1
        for (int c = 0; c < 2; c++) {
            u32 pairs[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int e = c * 8 + j * 2;
                pairs[j] = pack<T>(e < left ? value(element + e) : 0.0f, e + 1 < left ? value(element + e + 1) : 0.0f);
            }
            write_chunk(at + (to ^ (c << 4)), pairs[0], pairs[1], pairs[2], pairs[3]);
        }
        element += TILE_K;
        left -= TILE_K;
    }

    __device__ __forceinline__ float value(long long e) const {
        u32 two = o->codes[e >> 1];
        float mapped = o->map[e % 2 == 0 ? two >> 4 : two & 15];
        long long block = e >> o->block_shift;
        if (o->nested_absmax == nullptr) {
            return __fmul_rn(mapped, ((const float*)o->absmax)[block]);
        }
        float scale = o->nested_map[((const u8*)o->absmax)[block]];
        return __fmul_rn(mapped, nested_scale(*o, scale, o->nested_absmax[block >> o->nested_shift]));
    }
};
