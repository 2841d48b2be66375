// Attention of heads of 64 channels for cards of compute capability 9.0, after Shah et al., "FlashAttention-3" (2024).
//
// A block has 192 queries of one head of one sequence, 64 for each of three warpgroups, and meets the keys of all
// streams, 128 at a time; tiles never cross from one stream into the next. A fourth warpgroup only starts the copies of
// Q, K and V, which the TMA makes, through a ring of stages. Scores come out of the tensor cores in the layout in which
// the products with V take their left operand, so powers stay in registers.
//
// A warpgroup begins the products of the next tile's scores, then those of the present powers with V, and works on the
// softmax of the next tile while the latter run. Warpgroups begin theirs in turn, so that the tensor cores have the
// products of two while the third is at its softmax. Per tile these are 1536 cycles of the tensor cores, and 24576
// powers of two, 16 a cycle, take as many; both must hide behind each other.
//
// Keys that do not exist are masked in the last tile of a stream; there is no other mask, no bias and no norm here.
#include "sm90.cuh"
#include "tiles.cuh"

static constexpr int GROUPS = 3;  // warpgroups with queries
static constexpr int ROWS = 64 * GROUPS;
static constexpr int KEYS = 128;
static constexpr int CHANNELS = 64;
static constexpr int STAGES = 4;
static constexpr int THREADS = (GROUPS + 1) * WARPGROUP;
// Of a thread, for 65536 in all.
static constexpr int PRODUCER_REGISTERS = 32, CONSUMER_REGISTERS = 160;

static constexpr int Q_BYTES = ROWS * SWIZZLED_ROW, TILE_BYTES = KEYS * SWIZZLED_ROW;

struct MappedCall {
    TensorMap q[3];  // of each stream [batch, queries, heads * 64], boxes of 192 x 64
    TensorMap k[3];  // [batch, keys, heads * 64], boxes of 128 x 64
    TensorMap v[3];
    Call call;
};

// Addresses in shared memory: Q, whose place out takes on its way to memory, then the stages of K and V.
struct Shared {
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
            open_barrier(barrier(2, i), GROUPS * 4);
            open_barrier(barrier(3, i), GROUPS * 4);
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

static __device__ __forceinline__ int tiles_of(int keys) {
    return (keys + KEYS - 1) / KEYS;
}

static __device__ __forceinline__ Work work_of_block(const Call& call) {
    int tile = blockIdx.x;
    int asking = locate(tile, call.streams[0].queries, call.streams[1].queries, ROWS);
    int tiles = tiles_of(call.streams[0].keys) + tiles_of(call.streams[1].keys) + tiles_of(call.streams[2].keys);
    return {pair_of_block(call), asking, tile * ROWS, tiles};
}

// One thread: brings Q, and K and V of all tiles.
static __device__ __forceinline__ void bring_tiles(const MappedCall& mapped, const Work& work, const Shared& shared) {
    const Call& call = mapped.call;
    int channel = work.pair.channel;
    arrive_expecting(shared.q_barrier(), Q_BYTES);
    copy_box(shared.base, mapped.q[work.asking], channel, work.query, work.pair.sequence, shared.q_barrier());
    RingPlace<STAGES> at;
#pragma unroll 1
    for (int i = 0; i < work.tiles; i++) {
        int tile = i;
        int stream = locate(tile, call.streams[0].keys, call.streams[1].keys, KEYS);
        // An empty ring's stages are free: the phase before the first counts as over.
        u32 there = shared.barrier(K_THERE, at.stage);
        await(shared.barrier(K_FREE, at.stage), at.parity ^ 1);
        arrive_expecting(there, TILE_BYTES);
        copy_box(shared.k(at.stage), mapped.k[stream], channel, tile * KEYS, work.pair.sequence, there);
        there = shared.barrier(V_THERE, at.stage);
        await(shared.barrier(V_FREE, at.stage), at.parity ^ 1);
        arrive_expecting(there, TILE_BYTES);
        copy_box(shared.v(at.stage), mapped.v[stream], channel, tile * KEYS, work.pair.sequence, there);
        at.next();
    }
}

// A warpgroup's 64 queries. Of a thread: two rows, lane / 4 of its warp's 16 and 8 further; of those, columns of out
// and of scores as mma.m16n8k16 has its sums.
template <typename T> struct Queries {
    float out[CHANNELS / 2];
    float scores[KEYS / 2];
    u32 powers[KEYS / 16][4];
    // Of each row, the largest score, and this lane's part of the softmax's sum.
    float largest[2] = {minus_infinity(), minus_infinity()};
    float sum[2] = {0.0f, 0.0f};

    // Begins scores = Q K^T, unscaled.
    __device__ __forceinline__ void score(u32 q, u32 k) {
        u64 a = operand_of(q);
        u64 b = operand_of(k);
        hold(scores);
        products_begin();
#pragma unroll
        for (int step = 0; step < CHANNELS / 16; step++) {
            multiply<T, KEYS>(scores, a + step * NEXT_16_OF_K, b + step * NEXT_16_OF_K, step > 0);
        }
        products_commit();
    }

    // Begins out += P V.
    __device__ __forceinline__ void gather(u32 v) {
        u64 b = operand_of(v);
        hold(out);
        hold(powers);
        products_begin();
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++) {
            multiply_rows<T>(out, powers[step], b + step * NEXT_16_ROWS);
        }
        products_commit();
    }

    // -infinity for keys of the tile from `keys` on.
    __device__ __forceinline__ void mask(int keys) {
        int key = threadIdx.x % 4 * 2;
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                scores[4 * j + e] = key + 8 * j + e % 2 < keys ? scores[4 * j + e] : minus_infinity();
            }
        }
    }

    // Scores become powers of two, in float32; gives what the sums before them shrink by. The reference is taken before
    // the factor: in one fma, the rounding of its product would count as much as scores of 1e30 are large.
    __device__ __forceinline__ void soften(float factor, float (&shrink)[2]) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = minus_infinity();
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
                most = fmaxf(most, fmaxf(scores[4 * j + 2 * half], scores[4 * j + 2 * half + 1]));
            }
            most = fmaxf(row_max(most), largest[half]);
            float reference = reference_of(most);
            shrink[half] = power_of(largest[half], reference, factor);
            largest[half] = most;
            float total = 0.0f;
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
                for (int e = 4 * j + 2 * half; e < 4 * j + 2 * half + 2; e++) {
                    scores[e] = power_of(scores[e], reference, factor);
                    total += scores[e];
                }
            }
            sum[half] = fmaf(sum[half], shrink[half], total);
        }
    }

    // The powers as the products with V take them.
    __device__ __forceinline__ void round() {
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                powers[step][i] = pack<T>(scores[8 * step + 2 * i], scores[8 * step + 2 * i + 1]);
            }
        }
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < CHANNELS / 2; i++) {
            out[i] = 0.0f;
        }
    }

    __device__ __forceinline__ void shrink_out(const float (&shrink)[2]) {
#pragma unroll
        for (int i = 0; i < CHANNELS / 2; i++) {
            out[i] *= shrink[i / 2 % 2];
        }
    }

    // The quotients, rounded, to the warp's 16 rows of shared memory and from there to those of `to` that there are.
    __device__ __forceinline__ void store(u8* staged, T* to, int stride, int rows) const {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float inverse = inverse_of(row_sum(sum[half]));
#pragma unroll
            for (int c = 0; c < CHANNELS / 8; c++) {
                *(u32*)(staged + place<CHANNELS / 8>(lane / 4 + 8 * half, c) + lane % 4 * 4) =
                        pack<T>(out[4 * c + 2 * half] * inverse, out[4 * c + 2 * half + 1] * inverse);
            }
        }
        __syncwarp();
#pragma unroll
        for (int row = lane / 8; row < 16; row += 4) {
            if (row < rows) {
                *(uint4*)(to + (long long)row * stride + lane % 8 * 8) =
                        *(const uint4*)(staged + place<CHANNELS / 8>(row, lane % 8));
            }
        }
    }
};

// Numbers of barriers of some warps.
enum : int { TURN = 1, GROUP = TURN + GROUPS };

// Where a warpgroup stands on its way through the tiles.
template <typename T> struct Consumer {
    const Call& call;
    const Shared& shared;
    int group;
    int tiles;
    int next = 0;  // tile of scores
    RingPlace<STAGES> k_at;
    RingPlace<STAGES> v_at;
    Queries<T> queries;

    __device__ __forceinline__ Consumer(const Call& call, const Shared& shared, int tiles)
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

template <typename T>
__device__ __forceinline__ void attend(const Call& call, const Work& work, const Shared& shared, u8* base) {
    Consumer<T> consumer(call, shared, work.tiles);
    consumer.run();

    // All products with the warpgroup's part of Q are done.
    meet_at(GROUP + consumer.group, WARPGROUP);
    int first = threadIdx.x / 32 % 4 * 16 + consumer.group * 64;
    int n = OF_STREAM(call, work.asking, queries);
    int stride = OF_STREAM(call, work.asking, outStride);
    T* out = (T*)OF_STREAM(call, work.asking, out) + offset(work.pair, n, stride, work.query + first);
    consumer.queries.store(base + first * SWIZZLED_ROW, out, stride, n - work.query - first);
}

// Grid: x tiles of queries through all asking streams, y sequences times heads.
template <typename T> __device__ __forceinline__ void attention(const MappedCall& mapped) {
    extern __shared__ __align__(SWIZZLED_GROUP) u8 given[];
    Shared shared{shared_address(given)};
    Work work = work_of_block(mapped.call);
    if (threadIdx.x == 0) {
        shared.open();
    }
    __syncthreads();
    if (threadIdx.x / WARPGROUP == 0) {
        keep_registers<PRODUCER_REGISTERS>();
        if (threadIdx.x == 0) {
            bring_tiles(mapped, work, shared);
        }
        return;
    }
    take_registers<CONSUMER_REGISTERS>();
    attend<T>(mapped.call, work, shared, given);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)
attention_64_sm90_bf16(const __grid_constant__ MappedCall mapped) {
    attention<bf16>(mapped);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)
attention_64_sm90_f16(const __grid_constant__ MappedCall mapped) {
    attention<f16>(mapped);
}
