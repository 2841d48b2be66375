// Attention by blocks of keys with an online softmax: Dao, "FlashAttention-2" (2023).
//
// A block of 4 warps owns ROWS queries of one head of one sequence and goes through the keys of all streams, KEYS at
// a time; tiles never cross from one stream into the next, so nothing is concatenated. K and V lie in shared memory
// in two stages: while one is computed with, the next arrives by asynchronous copies. A warp owns 16 * TILES queries
// with all their keys, so the softmax stays in its registers: scores come out of the tensor cores in the layout in
// which the product with V takes its left operand. TILES is 2 where registers allow, since each fragment of K and V
// read from shared memory then serves two products.
//
// Per block: one read of Q, K and V, one write of out, and one barrier for each tile of keys. out may be q: a block's
// queries are read by itself only, before it writes. Keys that do not exist are not read, and their tiles left out.
// Norms of heads and rotations are done before, once for each head: see rope.cu.
//
// Heads of 72 channels are four and a half fragments of 16 across: of the last one the products with Q take one half
// only, the products with V end with a single column of 8.
#include "attention_plain.cuh"
#include "attention_queries.cuh"
#include "attention_wide.cuh"
#include "tiles.cuh"

// Stage: K, then V. Q on its way into registers, and out on its way to global memory, take the place of one stage.
template <int D> struct Shared {
    u8 stages[2][2 * Shape<D>::TILE_BYTES];
    float bias[2][Shape<D>::ROWS + Shape<D>::KEYS];
};

// What a kernel may have of shared memory that a launch does not add.
static constexpr int MOST_STATIC = 48 << 10;

template <int D> __device__ __forceinline__ Shared<D>& shared_of_block() {
    if constexpr (sizeof(Shared<D>) > MOST_STATIC) {
        extern __shared__ __align__(128) u8 dynamic[];
        return *(Shared<D>*)dynamic;
    } else {
        __shared__ __align__(128) Shared<D> shared;
        return shared;
    }
}

// The diagonals that a tile of scores meets, as powers of two: entry key - query + ROWS - 1, both counted in the tile.
template <int D>
__device__ __forceinline__ void load_bias(const Call& call, int head, int query, int key, float* to) {
    int n = call.streams[0].keys;
    int columns = 2 * n - 1;
    long long first = (long long)head * columns;
    for (int i = threadIdx.x; i < Shape<D>::ROWS + Shape<D>::KEYS; i += THREADS) {
        int column = key - query + i - (Shape<D>::ROWS - 1) + n - 1;
        to[i] = column >= 0 && column < columns
                ? load_as_float(call.bias, call.biasType, first + column) * LOG2E : 0.0f;
    }
}

// Starts copying tile `tile` of K and V, counted through all streams, to a stage.
template <typename T, int D>
__device__ __forceinline__ void copy_keys(const Call& call, const Pair& pair, const Keys& keys, int tile, u8* stage) {
    constexpr int KEYS = Shape<D>::KEYS;
    constexpr int CHUNKS = Shape<D>::CHUNKS;
    int stream = locate(tile, keys.first, keys.second, KEYS);
    int n = OF_STREAM(call, stream, keys);
    int kStride = OF_STREAM(call, stream, kStride);
    int vStride = OF_STREAM(call, stream, vStride);
    int key = tile * KEYS;
    int rows = pick(stream, keys.first, keys.second, keys.third) - key;
    int chunks = call.headDim / 8;
    u32 to = shared_address(stage);
    copy_tile<T, KEYS, CHUNKS, THREADS>(
            to, (const T*)OF_STREAM(call, stream, k) + offset(pair, n, kStride, key), kStride, rows, chunks);
    copy_tile<T, KEYS, CHUNKS, THREADS>(to + Shape<D>::TILE_BYTES,
            (const T*)OF_STREAM(call, stream, v) + offset(pair, n, vStride, key), vStride, rows, chunks);
    copy_commit();
}

// Grid: x tiles of queries through all asking streams, y sequences times heads.
// Of the warp's queries. From the loop on it is asked for anew in each place: kept, it would be a register more, and
// there is none to spare.
template <int D> __device__ __forceinline__ int first_row() {
    u32 thread;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
    return thread / 32 * 16 * Shape<D>::TILES;
}

template <typename T, int D> __device__ __forceinline__ void attend(const Call& call) {
    constexpr int ROWS = Shape<D>::ROWS;
    constexpr int KEYS = Shape<D>::KEYS;
    constexpr int CHUNKS = Shape<D>::CHUNKS;
    Shared<D>& shared = shared_of_block<D>();

    Pair pair = pair_of_block(call);
    Keys present = keys_of(call, pair.sequence);
    int tile = blockIdx.x;
    int asking = locate(tile, call.streams[0].queries, call.streams[1].queries, ROWS);
    int query = tile * ROWS;
    int n = OF_STREAM(call, asking, queries);
    int rows = n - query;
    int chunks = call.headDim / 8;
    int stride = OF_STREAM(call, asking, qStride);
    copy_tile<T, ROWS, CHUNKS, THREADS>(shared_address(shared.stages[1]),
            (const T*)OF_STREAM(call, asking, q) + offset(pair, n, stride, query), stride, rows, chunks);
    copy_commit();
    int keyTiles = call.causal ? (min(present.first, query + ROWS) + KEYS - 1) / KEYS
            : (present.first + KEYS - 1) / KEYS + (present.second + KEYS - 1) / KEYS
                    + (present.third + KEYS - 1) / KEYS;
    if (keyTiles > 0) {
        copy_keys<T, D>(call, pair, present, 0, shared.stages[0]);
    } else {
        copy_commit();
    }
    if (call.bias != nullptr) {
        load_bias<D>(call, pair.head, query, 0, shared.bias[0]);
    }
    copy_wait<1>();
    __syncthreads();

    Queries<T, D> queries;
    queries.start(shared_address(shared.stages[1]), threadIdx.x / 32 * 16 * Shape<D>::TILES);

    for (int i = 0; i < keyTiles; i++) {
        int keyTile = i;
        int stream = locate(keyTile, present.first, present.second, KEYS);
        int key = keyTile * KEYS;
        int keys = pick(stream, present.first, present.second, present.third) - key;
        u8* stage = shared.stages[i % 2];
        copy_wait<0>();
        // The stage is complete, and nobody needs the other one any more.
        __syncthreads();
        if (i + 1 < keyTiles) {
            copy_keys<T, D>(call, pair, present, i + 1, shared.stages[(i + 1) % 2]);
            if (call.bias != nullptr) {
                load_bias<D>(call, pair.head, query, key + KEYS, shared.bias[(i + 1) % 2]);
            }
        }
        // How far the warp's first query is behind the tile's first key.
        int firstRow = first_row<D>();
        int past = query + firstRow - key;
        if (firstRow < rows && !(call.causal && past + 16 * Shape<D>::TILES <= 0)) {
            float scores[Shape<D>::TILES][KEYS / 8][4];
            queries.score(shared_address(stage), scores);
            float factor = call.factor;
            if (call.bias != nullptr) {
                Queries<T, D>::add_bias(shared.bias[i % 2], firstRow, factor, scores);
                factor = 1;
            }
            if (keys < KEYS || (call.causal && past < KEYS)) {
                Queries<T, D>::mask(keys, call.causal, past, scores);
            }
            queries.soften(factor, scores);
            queries.gather(shared_address(stage) + Shape<D>::TILE_BYTES, scores);
        }
    }

    __syncthreads();
    int lastRow = first_row<D>();
    queries.finish(shared.stages[0], lastRow);
    if (call.logSums != nullptr) {
        queries.keep(call.logSums + log_sum_at(call, asking, query), call.factor, lastRow, rows);
    }
    __syncthreads();
    stride = OF_STREAM(call, asking, outStride);
    store_tile<T, ROWS, CHUNKS, THREADS>(shared.stages[0],
            (T*)OF_STREAM(call, asking, out) + offset(pair, n, stride, query), stride, rows, chunks);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_32_bf16(Call call) {
    attend<bf16, 32>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_32_f16(Call call) {
    attend<f16, 32>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_64_bf16(Call call) {
    attend<bf16, 64>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_64_f16(Call call) {
    attend<f16, 64>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_72_bf16(Call call) {
    attend<bf16, 72>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_72_f16(Call call) {
    attend<f16, 72>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_128_bf16(Call call) {
    attend<bf16, 128>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) attention_128_f16(Call call) {
    attend<f16, 128>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_256_bf16(Call call) {
    attend<bf16, 256>(call);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_256_f16(Call call) {
    attend<f16, 256>(call);
}
