// Attention of heads of 64, 72, 128 and 256 channels for cards of compute capability 9.0, after Shah et al.,
// "FlashAttention-3" (2024).
//
// A block has 64 queries of one head of one sequence for each of two or three warpgroups, and meets the keys of all
// streams, 128 at a time (80 of heads of 256, whose sums leave no registers for more); tiles never cross from one
// stream into the next. One more warpgroup only starts the copies of Q, K and V, which the TMA makes, through a ring of
// stages. Scores come out of the tensor cores in the layout in which the products with V take their left operand, so
// powers stay in registers.
//
// A warpgroup begins the products of the next tile's scores, then those of the present powers with V, and works on the
// softmax of the next tile while the latter run. Warpgroups begin theirs in turn, so that the tensor cores have the
// products of the others while one is at its softmax. Per tile of heads of 64 these are 1536 cycles of the tensor
// cores, and 24576 powers of two, 16 a cycle, take as many; both must hide behind each other. Of heads of 128 they are
// 2048, and the powers take 1024; of heads of 256, with 80 keys, 2560 and 640.
//
// Rows of more than 64 channels lie in shared memory as several tiles of 64. The TMA has a head for a dimension of its
// own and fills up with zeros what a box has beyond it: of heads of 72, the second tile has 8 channels and 56 zeros, of
// which products with Q take 8.
//
// Keys that do not exist are masked in the last tile of a stream; there is no other mask, no bias and no norm here.
#include "attention_sm90_queries.cuh"

struct MappedCall {
    TensorMap q[3];  // of each stream [batch, queries, heads, D], boxes of ROWS queries and 64 channels
    TensorMap k[3];  // [batch, keys, heads, D], boxes of KEYS keys and 64 channels
    TensorMap v[3];
    Call call;
};

// Addresses in shared memory: Q, whose place out takes on its way to memory, then the stages of K and V.
template <int D> struct Shared {
    static constexpr int STAGES = Shape<D>::STAGES, Q_BYTES = Shape<D>::Q_BYTES, TILE_BYTES = Shape<D>::TILE_BYTES;

    u32 base;

    __device__ __forceinline__ u32 k(int stage) const {
        return base + Q_BYTES + stage * 2 * TILE_BYTES;
    }

    __device__ __forceinline__ u32 v(int stage) const {
        return k(stage) + TILE_BYTES;
    }

    // A stage's barriers: K is there, V is there, K is free, V is free. Then that of Q.
    __device__ __forceinline__ u32 barrier(int which, int stage) const {
        return base + Q_BYTES + STAGES * 2 * TILE_BYTES + (which * STAGES + stage) * 8;
    }

    __device__ __forceinline__ u32 q_barrier() const {
        return barrier(4, 0);
    }

    __device__ __forceinline__ void open() const {
        for (int i = 0; i < STAGES; i++) {
            open_barrier(barrier(0, i), 1);
            open_barrier(barrier(1, i), 1);
            open_barrier(barrier(2, i), Shape<D>::GROUPS * 4);
            open_barrier(barrier(3, i), Shape<D>::GROUPS * 4);
        }
        open_barrier(q_barrier(), 1);
        barriers_opened();
    }
};

enum : int { K_THERE = 0, V_THERE = 1, K_FREE = 2, V_FREE = 3 };

// What a block works on: its queries' stream and first query, and how many tiles of keys there are.
struct Work {
    Pair pair;
    int asking;
    int query;
    int tiles;
};

template <int D> __device__ __forceinline__ int tiles_of(int keys) {
    return (keys + Shape<D>::KEYS - 1) / Shape<D>::KEYS;
}

template <int D> __device__ __forceinline__ Work work_of_block(const Call& call) {
    constexpr int ROWS = Shape<D>::ROWS;
    int tile = blockIdx.x;
    int asking = locate(tile, call.streams[0].queries, call.streams[1].queries, ROWS);
    int tiles = tiles_of<D>(call.streams[0].keys) + tiles_of<D>(call.streams[1].keys)
            + tiles_of<D>(call.streams[2].keys);
    return {pair_of_block(call), asking, tile * ROWS, tiles};
}

// Begins to bring rows of the block's head, 64 channels after 64.
template <int D>
__device__ __forceinline__ void bring(u32 to, int part_bytes, const TensorMap& map, const Work& work, int row,
                                      u32 barrier) {
    arrive_expecting(barrier, Shape<D>::PARTS * part_bytes);
#pragma unroll
    for (int i = 0; i < Shape<D>::PARTS; i++) {
        copy_box(to + i * part_bytes, map, i * 64, work.pair.head, row, work.pair.sequence, barrier);
    }
}

// One thread: brings Q, and K and V of all tiles.
template <int D>
__device__ __forceinline__ void bring_tiles(const MappedCall& mapped, const Work& work, const Shared<D>& shared) {
    constexpr int KEYS = Shape<D>::KEYS, KEYS_BYTES = Shape<D>::KEYS_BYTES;
    const Call& call = mapped.call;
    bring<D>(shared.base, Shape<D>::ROWS_BYTES, mapped.q[work.asking], work, work.query, shared.q_barrier());
    RingPlace<Shape<D>::STAGES> at;
#pragma unroll 1
    for (int i = 0; i < work.tiles; i++) {
        int tile = i;
        int stream = locate(tile, call.streams[0].keys, call.streams[1].keys, KEYS);
        // An empty ring's stages are free: the phase before the first counts as over.
        await(shared.barrier(K_FREE, at.stage), at.parity ^ 1);
        bring<D>(shared.k(at.stage), KEYS_BYTES, mapped.k[stream], work, tile * KEYS,
                 shared.barrier(K_THERE, at.stage));
        await(shared.barrier(V_FREE, at.stage), at.parity ^ 1);
        bring<D>(shared.v(at.stage), KEYS_BYTES, mapped.v[stream], work, tile * KEYS,
                 shared.barrier(V_THERE, at.stage));
        at.next();
    }
}

// Where a warpgroup stands on its way through the tiles.
template <typename T, int D> struct Consumer {
    static constexpr int GROUPS = Shape<D>::GROUPS, STAGES = Shape<D>::STAGES, KEYS = Shape<D>::KEYS;
    // Numbers of barriers of some warps.
    static constexpr int TURN = 1, GROUP = TURN + GROUPS;

    const Call& call;
    const Shared<D>& shared;
    int group;
    int tiles;
    int next = 0;  // tile of scores
    RingPlace<STAGES> k_at;
    RingPlace<STAGES> v_at;
    Queries<T, D> queries;

    __device__ __forceinline__ Consumer(const Call& call, const Shared<D>& shared, int tiles)
            : call(call), shared(shared), group(threadIdx.x / WARPGROUP - 1), tiles(tiles) {
    }

    // Once a warp has seen its products end: the stage is free when all have.
    __device__ __forceinline__ void release(int which, int stage) const {
        if (threadIdx.x % 32 == 0) {
            arrive(shared.barrier(which, stage));
        }
    }

    // Warpgroups begin products in turn; who comes first in the first round waits for nobody.
    __device__ __forceinline__ void await_turn() const {
        if (next + group > 0) {
            meet_at(TURN + group, 2 * WARPGROUP);
        }
    }

    __device__ __forceinline__ void end_turn() const {
        if (next < tiles - 1 || group < GROUPS - 1) {
            pass_by(TURN + (group + 1) % GROUPS, 2 * WARPGROUP);
        }
    }

    __device__ __forceinline__ void begin_scores() {
        queries.score(shared.base + group * 64 * SWIZZLED_ROW, shared.k(k_at.stage));
    }

    __device__ __forceinline__ void await_k() const {
        await(shared.barrier(K_THERE, k_at.stage), k_at.parity);
    }

    __device__ __forceinline__ void await_v() const {
        await(shared.barrier(V_THERE, v_at.stage), v_at.parity);
    }

    // The scores are there: their tile is free, and they become powers.
    __device__ __forceinline__ void soften(float (&shrink)[2]) {
        hold(queries.scores);
        release(K_FREE, k_at.stage);
        k_at.next();
        int tile = next;
        int stream = locate(tile, call.streams[0].keys, call.streams[1].keys, KEYS);
        int keys = OF_STREAM(call, stream, keys) - tile * KEYS;
        if (keys < KEYS) {
            queries.mask(keys);
        }
        queries.soften(call.factor, shrink);
        next++;
    }

    __device__ __forceinline__ void run() {
        float shrink[2];
        await(shared.q_barrier(), 0);
        await_k();
        await_turn();
        begin_scores();
        end_turn();
        products_wait<0>();
        soften(shrink);
        queries.round();
        queries.clear();
        await_v();
#pragma unroll 1
        while (next < tiles) {
            await_k();
            await_turn();
            begin_scores();
            queries.gather(shared.v(v_at.stage));
            end_turn();
            products_wait<1>();
            soften(shrink);
            hold(queries.scores);
            // This wait between the powers and that for the products also keeps the compiler from putting the powers
            // off until after the products.
            int gathered = v_at.stage;
            v_at.next();
            await_v();
            products_wait<0>();
            hold(queries.out);
            release(V_FREE, gathered);
            queries.shrink_out(shrink);
            queries.round();
        }
        queries.gather(shared.v(v_at.stage));
        products_wait<0>();
        hold(queries.out);
    }
};

template <typename T, int D>
__device__ __forceinline__ void attend(const Call& call, const Work& work, const Shared<D>& shared, u8* base) {
    Consumer<T, D> consumer(call, shared, work.tiles);
    consumer.run();

    // All products with the warpgroup's part of Q are done.
    meet_at(consumer.GROUP + consumer.group, WARPGROUP);
    int first = threadIdx.x / 32 % 4 * 16 + consumer.group * 64;
    int n = OF_STREAM(call, work.asking, queries);
    int stride = OF_STREAM(call, work.asking, outStride);
    T* out = (T*)OF_STREAM(call, work.asking, out) + offset(work.pair, n, stride, work.query + first);
    consumer.queries.store(base + first * SWIZZLED_ROW, out, stride, n - work.query - first);
}

// Grid: x tiles of queries through all asking streams, y sequences times heads.
template <typename T, int D> __device__ __forceinline__ void attention(const MappedCall& mapped) {
    extern __shared__ __align__(SWIZZLED_GROUP) u8 given[];
    Shared<D> shared{shared_address(given)};
    Work work = work_of_block<D>(mapped.call);
    if (threadIdx.x == 0) {
        shared.open();
    }
    __syncthreads();
    if (threadIdx.x / WARPGROUP == 0) {
        keep_registers<Shape<D>::PRODUCER_REGISTERS>();
        if (threadIdx.x == 0) {
            bring_tiles<D>(mapped, work, shared);
        }
        return;
    }
    take_registers<Shape<D>::CONSUMER_REGISTERS>();
    attend<T, D>(mapped.call, work, shared, given);
}

#define ATTENTION(channels, type)                                         \
    extern "C" __global__ void __launch_bounds__(Shape<channels>::THREADS, 1) \
    attention_##channels##_sm90_##type(const __grid_constant__ MappedCall mapped) { \
        attention<type, channels>(mapped);                                \
    }

ATTENTION(64, bf16)
ATTENTION(64, f16)
ATTENTION(72, bf16)
ATTENTION(72, f16)
ATTENTION(128, bf16)
ATTENTION(128, f16)
ATTENTION(256, bf16)
ATTENTION(256, f16)
