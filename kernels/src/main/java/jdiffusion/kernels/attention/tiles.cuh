// What the attention kernels share: their arguments, tiles of one head in shared memory, steps of the softmax.
#pragma once

#include "device.cuh"

// One stream, as CudaAttention packs it. q and out are [batch, queries, heads * headDim] or null, k and v are [batch,
// keys, heads * headDim] or null, with rows `...Stride` elements apart; q and k are normed and turned already. A stream
// that does not ask has 0 queries, one that is not asked 0 keys. keyCounts is [batch], how many of a sequence's keys
// exist, or null for all.
struct Stream {
    const void* q;
    const void* k;
    const void* v;
    void* out;
    const int* keyCounts;
    int queries;
    int keys;
    int qStride;
    int kStride;
    int vStride;
    int outStride;
};

// The arguments of every kernel, in the order of CudaAttention.pack. Streams that are not there have no tokens.
// `bias` is [heads, 2 n - 1], or null. `factor` is the scale times log2(e): scores are kept in powers of two.
struct Call {
    Stream streams[3];
    const void* bias;
    int biasType;
    int heads;
    int headDim;
    int causal;
    float factor;
    int queries; // of all streams
    float* logSums; // [batch, heads, queries], logarithms of the sums of exp(score); null where nobody looks
};

static constexpr float LOG2E = 1.4426950408889634f;

static __device__ __forceinline__ float minus_infinity() {
    return __uint_as_float(0xFF800000u);
}

// Chooses by stream without indexing the arguments, which would copy them to local memory.
template <typename V> __device__ __forceinline__ V pick(int stream, V first, V second, V third) {
    return stream == 0 ? first : stream == 1 ? second : third;
}

#define OF_STREAM(call, stream, field) \
    pick(stream, (call).streams[0].field, (call).streams[1].field, (call).streams[2].field)

// How many keys of each stream exist for a sequence.
struct Keys {
    int first;
    int second;
    int third;
};

static __device__ __forceinline__ int keys_of(const Stream& stream, int sequence) {
    return stream.keyCounts == nullptr ? stream.keys : max(0, min(stream.keyCounts[sequence], stream.keys));
}

static __device__ __forceinline__ Keys keys_of(const Call& call, int sequence) {
    return {keys_of(call.streams[0], sequence), keys_of(call.streams[1], sequence),
            keys_of(call.streams[2], sequence)};
}

// Moves `index`, counted in units of `size` tokens through all streams, into the stream that has it; returns which.
static __device__ __forceinline__ int locate(int& index, int first, int second, int size) {
    int tiles = (first + size - 1) / size;
    if (index < tiles) {
        return 0;
    }
    index -= tiles;
    tiles = (second + size - 1) / size;
    if (index < tiles) {
        return 1;
    }
    index -= tiles;
    return 2;
}

// What a block works on: its sequence, and its head's first channel. Grid y counts sequences times heads.
struct Pair {
    int sequence;
    int head;
    int channel;
};

static __device__ __forceinline__ Pair pair_of_block(const Call& call) {
    int head = blockIdx.y % call.heads;
    return {(int)(blockIdx.y / call.heads), head, head * call.headDim};
}

// Where a query of a stream, counted from its first one, has its log sum.
static __device__ __forceinline__ long long log_sum_at(const Call& call, int asking, int query) {
    int before = pick(asking, 0, call.streams[0].queries, call.streams[0].queries + call.streams[1].queries);
    return (long long)blockIdx.y * call.queries + before + query;
}

// The logarithm of a sum of powers of two of (score - largest) * factor, as one of exp(score).
static __device__ __forceinline__ float log_sum(float largest, float factor, float sum) {
    return sum == 0.0f ? __uint_as_float(0xFF800000u) : fmaf(largest, factor, log2f(sum)) * 0.69314718056f;
}

// Element offset of the block's head in the row of token `token` of its sequence.
static __device__ __forceinline__ long long offset(const Pair& pair, int n, int stride, int token) {
    return ((long long)pair.sequence * n + token) * stride + pair.channel;
}

// ---- Tiles: rows of CHUNKS pieces of 16 bytes (8 elements), one behind the other.
//
// A row's pieces change places by exclusive-or with the row's number, so that any 8 rows that follow each other have
// the same piece in 8 different groups of 4 banks: ldmatrix reads them in one go. Where a row has less than 128 bytes,
// the rows that share 128 bytes already differ, and only each next such group changes places. Rows of an odd number of
// pieces are apart that way by themselves.

template <int CHUNKS> __device__ __forceinline__ constexpr bool is_odd() {
    return CHUNKS % 2 != 0;
}

template <int CHUNKS> __device__ __forceinline__ u32 place(int row, int chunk) {
    if constexpr (is_odd<CHUNKS>()) {
        return (u32)(row * CHUNKS + chunk) * 16;
    } else {
        constexpr int GROUP = CHUNKS >= 8 ? 1 : 8 / CHUNKS;
        constexpr int MASK = (CHUNKS >= 8 ? 8 : CHUNKS) - 1;
        return (u32)(row * CHUNKS + (chunk ^ ((row / GROUP) & MASK))) * 16;
    }
}

// The same with `chunk` pieces more (a multiple of those a fragment spans), from a place in shared memory whose tile
// starts at a multiple of 128 bytes: with a constant `chunk` a loop needs few registers for its addresses.
template <int CHUNKS> __device__ __forceinline__ u32 across(u32 place, int chunk) {
    if constexpr (is_odd<CHUNKS>()) {
        return place + chunk * 16;
    } else {
        return (place ^ (u32)(chunk % 8 * 16)) + chunk / 8 * 128;
    }
}

// Starts copying ROWS rows; zeros where a row is not under `rows` or a piece not under `chunks`. Neighbouring threads
// take neighbouring pieces of a row, so a warp reads whole sectors. Wide rows are not unrolled in full: their addresses
// would take registers from the sums.
template <typename T, int ROWS, int CHUNKS, int THREADS>
__device__ __forceinline__ void copy_tile(u32 to, const T* from, int stride, int rows, int chunks) {
    if constexpr (is_odd<CHUNKS>()) {
#pragma unroll 2
        for (int i = threadIdx.x; i < ROWS * CHUNKS; i += THREADS) {
            int row = i / CHUNKS;
            int chunk = i % CHUNKS;
            copy_async(to + i * 16, from + (long long)row * stride + chunk * 8, row < rows && chunk < chunks);
        }
    } else {
        int chunk = threadIdx.x % CHUNKS;
        int first = threadIdx.x / CHUNKS;
        from += (long long)first * stride + chunk * 8;
        long long step = (long long)(THREADS / CHUNKS) * stride;
#pragma unroll (CHUNKS > 16 ? 2 : 8)
        for (int row = 0; row < ROWS; row += THREADS / CHUNKS) {
            copy_async(to + place<CHUNKS>(first + row, chunk), from, first + row < rows && chunk < chunks);
            from += step;
        }
    }
}

// Stores ROWS rows from shared memory, those under `rows` and their pieces under `chunks`.
template <typename T, int ROWS, int CHUNKS, int THREADS>
__device__ __forceinline__ void store_tile(const u8* from, T* to, int stride, int rows, int chunks) {
    if constexpr (is_odd<CHUNKS>()) {
#pragma unroll 2
        for (int i = threadIdx.x; i < ROWS * CHUNKS; i += THREADS) {
            int row = i / CHUNKS;
            int chunk = i % CHUNKS;
            if (row < rows && chunk < chunks) {
                *(uint4*)(to + (long long)row * stride + chunk * 8) = *(const uint4*)(from + i * 16);
            }
        }
    } else {
        int chunk = threadIdx.x % CHUNKS;
        int first = threadIdx.x / CHUNKS;
#pragma unroll
        for (int row = 0; row < ROWS; row += THREADS / CHUNKS) {
            if (first + row < rows && chunk < chunks) {
                *(uint4*)(to + (long long)(first + row) * stride + chunk * 8) =
                        *(const uint4*)(from + place<CHUNKS>(first + row, chunk));
            }
        }
    }
}

// ---- Two neighbours in a register, widened.

template <typename T> __device__ __forceinline__ float low(u32 x);
template <typename T> __device__ __forceinline__ float high(u32 x);

template <> __device__ __forceinline__ float low<bf16>(u32 x) {
    return __uint_as_float(x << 16);
}

template <> __device__ __forceinline__ float high<bf16>(u32 x) {
    return __uint_as_float(x & 0xFFFF0000u);
}

template <> __device__ __forceinline__ float low<f16>(u32 x) {
    return to_float(f16{(u16)x});
}

template <> __device__ __forceinline__ float high<f16>(u32 x) {
    return to_float(f16{(u16)(x >> 16)});
}

// ---- Softmax, in powers of two.

// The four lanes of a fragment's row.
static __device__ __forceinline__ float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}

static __device__ __forceinline__ float row_sum(float x) {
    x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
    return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

// What is taken from scores before they are scaled, so that the largest gives exactly 1 however large it is. While all
// scores are -infinity it is 0, which gives zeros, not NaN.
static __device__ __forceinline__ float reference_of(float largest) {
    return largest == minus_infinity() ? 0.0f : largest;
}

// What a score, or a former largest score, counts for.
static __device__ __forceinline__ float power_of(float score, float reference, float factor) {
    return power_of_two((score - reference) * factor);
}

// 1 / sum, to the last bit or two, and 0 for a row in which every key is masked.
static __device__ __forceinline__ float inverse_of(float sum) {
    return sum == 0.0f ? 0.0f : reciprocal(sum);
}
