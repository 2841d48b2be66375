// linear.cuh's products of operands of their own type for cards of compute capability 9.0: by products of warpgroups,
// on tiles that the TMA brings. Names: linear_<type>[_gated]_sm90[_pair]_<tile>; those of float8 are in
// linear_fp8_sm90.cu.
//
// Of a block's three warpgroups the first only starts copies: 64 of k of both operands a stage, through a ring that
// never runs empty, for it goes on with the block's next tile while the others still store the last one. The other two
// make 64 rows each of the tile. A grid has as many blocks as the card has multiprocessors, or fewer; each takes every
// gridDim.x-th tile.
//
// Broad tile, 128 x 256: per 16 of k two products of 64 x 256, 256 cycles of the tensor cores, which read 20 KiB of
// shared memory (160 cycles), while 12 KiB arrive (96): it is as busy as they are. A byte from the L2 cache serves 85
// operations. 128 sums a thread, four stages of 48 KiB.
// Large tile, 128 x 128: 160 cycles of shared memory for 128 of the tensor cores, for outs that the broad one does not
// spread over the card.
//
// Pairs: a cluster of two blocks makes two such tiles, one above the other. Each block brings its own rows of a and
// half the rows of b, which both get, so that of 48 KiB of a broad stage 32 come from the L2 cache, of 32 of a large
// one 24. A block's stage is full when its own bytes and those of the other block's half are there, and both blocks'
// consumers must be through with it before either block brings the next.
#pragma once
#include "gemm.cuh"
#include "linear_sm90_rows.cuh"
#include "sm90.cuh"

// BLOCKS: of a cluster, which share b.
template <int N_, int STAGES_, int BLOCKS_ = 1> struct WarpgroupTile {
    static constexpr int M = 128, N = N_, STAGES = STAGES_, BLOCKS = BLOCKS_;
    static constexpr int CONSUMERS = 2;
    static constexpr int THREADS = (CONSUMERS + 1) * WARPGROUP;
    static constexpr int WARP_M = 16;
    static constexpr int A_BYTES = M * SWIZZLED_ROW, STAGE_BYTES = (M + N) * SWIZZLED_ROW;
    // Of a thread, for 65536 in all.
    static constexpr int PRODUCER_REGISTERS = 40, CONSUMER_REGISTERS = 232;
    static constexpr int STAGED_BYTES = WARP_M * STAGED_COLS * 4;
    static constexpr int STAGED_AT = STAGES * STAGE_BYTES;
    static constexpr int BARRIERS_AT = STAGED_AT + CONSUMERS * 4 * STAGED_BYTES;
    static constexpr int SHARED_BYTES = BARRIERS_AT + 2 * STAGES * 8;
};

typedef WarpgroupTile<256, 4> BroadWarpgroupTile;
typedef WarpgroupTile<128, 6> LargeWarpgroupTile;
typedef WarpgroupTile<256, 4, 2> BroadWarpgroupPair;
typedef WarpgroupTile<128, 6, 2> LargeWarpgroupPair;

// A product and a second one that is added: what an adapter makes of x beside its matrix, in bfloat16 beside float8.
struct MappedProblem {
    TensorMap a[2];  // [m, k], boxes of 128 rows and a stage's k
    TensorMap b[2];  // [n, k], or of a gated layer [2 n, k]; boxes of N rows, of a gated layer or a pair of N / 2
    Output o;
    const float* scales;  // [m], of the rows of a in float8
    int side_k;           // of the second product; 0 for none
};

struct MappedProblems {
    static constexpr int MOST = 6;
    MappedProblem problems[MOST];
    int count;
    int tiles;  // of all; with pairs of blocks, pairs of tiles
};

// Elements of T in a row of a stage.
template <typename T> __device__ __forceinline__ constexpr int stage_k() {
    return SWIZZLED_ROW / (int)sizeof(T);
}

// What the second product is made in.
template <typename T> struct SideOf {
    typedef T Type;
};
template <> struct SideOf<e4m3> {
    typedef bf16 Type;
};

// The barriers of a ring, by stage: full when a stage's bytes are there, empty when all warps that got them are through
// with it, those of the other block of a pair, too.
template <class Tile> struct Ring {
    u32 shared;

    __device__ __forceinline__ u32 stage(int i) const {
        return shared + i * Tile::STAGE_BYTES;
    }

    __device__ __forceinline__ u32 full(int i) const {
        return shared + Tile::BARRIERS_AT + i * 8;
    }

    __device__ __forceinline__ u32 empty(int i) const {
        return shared + Tile::BARRIERS_AT + (Tile::STAGES + i) * 8;
    }

    __device__ __forceinline__ void open() const {
        for (int i = 0; i < Tile::STAGES; i++) {
            open_barrier(full(i), 1);
            open_barrier(empty(i), Tile::BLOCKS * Tile::CONSUMERS * 4);
        }
        barriers_opened();
    }

    // An empty ring's stages are free: the phase before the first counts as over.
    __device__ __forceinline__ void await_empty(const RingPlace<Tile::STAGES>& at) const {
        if constexpr (Tile::BLOCKS == 1) {
            await(empty(at.stage), at.parity ^ 1);
        } else {
            await_cluster(empty(at.stage), at.parity ^ 1);
        }
    }

    // Of a warp that is through with a stage: a lane for each block that may bring the next.
    __device__ __forceinline__ void release(int i) const {
        int lane = threadIdx.x % 32;
        if (lane < Tile::BLOCKS) {
            if constexpr (Tile::BLOCKS == 1) {
                arrive(empty(i));
            } else {
                arrive_there(in_block(empty(i), lane));
            }
        }
    }
};

// This block's rank in its cluster.
template <class Tile> __device__ __forceinline__ int block_rank() {
    return blockIdx.x % Tile::BLOCKS;
}

// What a cluster makes at a time: tiles one above the other.
template <class Tile> struct TilesOfCluster {
    static constexpr int M = Tile::BLOCKS * Tile::M;
};

// A tile of this block: of those of its cluster the one of its rank, which may lie below the last row.
template <class Tile, int COLS> struct OwnPlace : Place<TilesOfCluster<Tile>, COLS> {
    template <class Launch>
    __device__ __forceinline__ OwnPlace(const Launch& launch, int tile)
            : Place<TilesOfCluster<Tile>, COLS>(launch, tile) {
        this->first_row += block_rank<Tile>() * Tile::M;
    }
};

// Brings the stages of one of a tile's products.
template <class Tile, typename T, bool GATED>
__device__ __forceinline__ void bring_product(const MappedProblem& problem, int product, int first_row, int first_col,
                                              const Ring<Tile>& ring, RingPlace<Tile::STAGES>& at) {
    constexpr int HALF_BYTES = Tile::N / 2 * SWIZZLED_ROW;
    const TensorMap& a = problem.a[product];
    const TensorMap& b = problem.b[product];
    int k = product == 0 ? problem.o.k : problem.side_k;
    int step = product == 0 ? stage_k<T>() : stage_k<typename SideOf<T>::Type>();
#pragma unroll 1
    for (int first = 0; first < k; first += step) {
        ring.await_empty(at);
        u32 full = ring.full(at.stage);
        u32 to = ring.stage(at.stage);
        arrive_expecting(full, Tile::STAGE_BYTES);
        copy_box(to, a, first, first_row, full);
        to += Tile::A_BYTES;
        if constexpr (Tile::BLOCKS == 2) {
            // A half of b for both: of a gated layer values or gates.
            int half = block_rank<Tile>();
            int row = first_col + half * (GATED ? problem.o.n : Tile::N / 2);
            copy_box_to(3, to + half * HALF_BYTES, b, first, row, full);
        } else {
            copy_box(to, b, first, first_col, full);
            if (GATED) {
                copy_box(to + HALF_BYTES, b, first, problem.o.n + first_col, full);
            }
        }
        at.next();
    }
}

// One thread: brings the stages of all tiles of this block.
template <class Tile, typename T, bool GATED, class Launch>
__device__ __forceinline__ void bring_tiles(const Launch& launch, const Ring<Tile>& ring) {
    constexpr int COLS = GATED ? Tile::N / 2 : Tile::N;
    RingPlace<Tile::STAGES> at;
#pragma unroll 1
    for (int tile = blockIdx.x / Tile::BLOCKS; tile < launch.tiles; tile += gridDim.x / Tile::BLOCKS) {
        OwnPlace<Tile, COLS> place(launch, tile);
        const MappedProblem& problem = launch.problems[place.problem];
#pragma unroll 1
        for (int product = 0; product < 2; product++) {
            bring_product<Tile, T, GATED>(problem, product, place.first_row, place.first_col, ring, at);
        }
    }
}

// Begins the products of a stage for the warpgroup's 64 rows, from byte `rows` of the stage on.
template <class Tile, typename T>
__device__ __forceinline__ void multiply_stage(float (&sums)[Tile::N / 2], u32 stage, u32 rows, bool adding) {
    u64 a = operand_of(stage + rows);
    u64 b = operand_of(stage + Tile::A_BYTES);
    hold(sums);
    products_begin();
#pragma unroll
    for (int step = 0; step < SWIZZLED_ROW / 32; step++) {
        multiply<T, Tile::N>(sums, a + step * NEXT_32_BYTES, b + step * NEXT_32_BYTES, step > 0 || adding);
    }
    products_commit();
}

// Stages of one product of a tile.
template <typename T> __device__ __forceinline__ int stages_of(int k) {
    return (k + stage_k<T>() - 1) / stage_k<T>();
}

// sums of a consumer's 64 rows, over `stages` stages of a tile; with `adding` they are added to what sums has.
template <class Tile, typename T>
__device__ __forceinline__ void multiply_tile(float (&sums)[Tile::N / 2], const Ring<Tile>& ring,
                                              RingPlace<Tile::STAGES>& at, int stages, bool adding) {
    u32 rows = (threadIdx.x / WARPGROUP - 1) * 64 * SWIZZLED_ROW;
    int last = -1;
#pragma unroll 1
    for (int left = stages; left > 0; left--) {
        await(ring.full(at.stage), at.parity);
        multiply_stage<Tile, T>(sums, ring.stage(at.stage), rows, adding || last >= 0);
        // One stage's products stay under way; those before are done, and their stage is free.
        products_wait<1>();
        if (last >= 0) {
            ring.release(last);
        }
        last = at.stage;
        at.next();
    }
    products_wait<0>();
    hold(sums);
    ring.release(last);
}

// The same in float8, whose products a card of compute capability 9.0 adds in fewer bits than float32's: the sums of
// each stage are added in float32, while those of the next are under way.
template <class Tile, typename T> struct StageSums {
    static constexpr int COUNT = Tile::N / 2;

    float (&sums)[COUNT];
    const Ring<Tile>& ring;
    RingPlace<Tile::STAGES>& at;
    float parts[2][COUNT];
    int last = 0;  // stage whose products are under way

    __device__ __forceinline__ StageSums(float (&sums)[COUNT], const Ring<Tile>& ring, RingPlace<Tile::STAGES>& at)
            : sums(sums), ring(ring), at(at) {
    }

    __device__ __forceinline__ void begin(float (&part)[COUNT]) {
        await(ring.full(at.stage), at.parity);
        multiply_stage<Tile, T>(part, ring.stage(at.stage), (threadIdx.x / WARPGROUP - 1) * 64 * SWIZZLED_ROW, false);
    }

    // Once its products are done.
    __device__ __forceinline__ void take(float (&part)[COUNT]) {
        hold(part);
        ring.release(last);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            sums[i] += part[i];
        }
    }

    // Begins a stage in one part, and takes the other when it is done.
    __device__ __forceinline__ void go_on(float (&to)[COUNT], float (&from)[COUNT]) {
        begin(to);
        products_wait<1>();
        take(from);
        last = at.stage;
        at.next();
    }

    __device__ __forceinline__ void end(float (&part)[COUNT]) {
        products_wait<0>();
        take(part);
    }

    __device__ __forceinline__ void run(int k) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            sums[i] = 0.0f;
        }
        begin(parts[0]);
        last = at.stage;
        at.next();
#pragma unroll 1
        for (int left = k - stage_k<T>();; left -= 2 * stage_k<T>()) {
            if (left <= 0) {
                end(parts[0]);
                return;
            }
            go_on(parts[1], parts[0]);
            if (left <= stage_k<T>()) {
                end(parts[1]);
                return;
            }
            go_on(parts[0], parts[1]);
        }
    }
};

// Multiplies each row of a warp's sums by its scale and by `factor`.
template <int COUNT>
__device__ __forceinline__ void scale_rows(float (&sums)[COUNT], const float* scales, float factor, int first_row,
                                           int rows) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = first_row + threadIdx.x % 32 / 4 + 8 * half;
        float scale = row < rows ? scales[row] * factor : 0.0f;
#pragma unroll
        for (int i = 2 * half; i < COUNT; i += 4) {
            sums[i] *= scale;
            sums[i + 1] *= scale;
        }
    }
}

template <class Tile, typename T, bool GATED = false, class Launch>
__device__ __forceinline__ void warpgroup_gemm(const Launch& launch) {
    constexpr int COLS = GATED ? Tile::N / 2 : Tile::N;
    extern __shared__ __align__(SWIZZLED_GROUP) u8 given[];
    Ring<Tile> ring{shared_address(given)};
    if (threadIdx.x == 0) {
        ring.open();
    }
    if constexpr (Tile::BLOCKS == 1) {
        __syncthreads();
    } else {
        meet_cluster();
    }
    if (threadIdx.x / WARPGROUP == 0) {
        keep_registers<Tile::PRODUCER_REGISTERS>();
        if (threadIdx.x == 0) {
            bring_tiles<Tile, T, GATED>(launch, ring);
        }
        return;
    }
    take_registers<Tile::CONSUMER_REGISTERS>();
    int warp = threadIdx.x / 32 - WARPGROUP / 32;
    RingPlace<Tile::STAGES> at;
    float sums[Tile::N / 2];
#pragma unroll 1
    for (int tile = blockIdx.x / Tile::BLOCKS; tile < launch.tiles; tile += gridDim.x / Tile::BLOCKS) {
        OwnPlace<Tile, COLS> place(launch, tile);
        const MappedProblem& problem = launch.problems[place.problem];
        const Output& o = problem.o;
        if constexpr (sizeof(T) == 1) {
            typedef typename SideOf<T>::Type Side;
            StageSums<Tile, T>(sums, ring, at).run(o.k);
            scale_rows(sums, problem.scales, o.scale, place.first_row + warp * Tile::WARP_M, o.m);
            if (problem.side_k > 0) {
                multiply_tile<Tile, Side>(sums, ring, at, stages_of<Side>(problem.side_k), true);
            }
        } else {
            multiply_tile<Tile, T>(sums, ring, at, stages_of<T>(o.k) + stages_of<T>(problem.side_k), false);
        }
        WarpRows<Tile, GATED> rows(o, (float*)(given + Tile::STAGED_AT + warp * Tile::STAGED_BYTES),
                                   place.first_row + warp * Tile::WARP_M, place.first_col);
        rows.store(sums);
    }
    if constexpr (Tile::BLOCKS > 1) {
        // The other block's consumers still arrive at this one's barriers, which must not end before.
        meet_cluster();
    }
}

#define WARPGROUP_LINEAR(name, tile, type, gated)                   \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, 1)  \
    name(const __grid_constant__ MappedProblems launch) {           \
        warpgroup_gemm<tile, type, gated>(launch);                  \
    }

#define WARPGROUP_PAIR_LINEAR(name, tile, type, gated)              \
    extern "C" __global__ void __cluster_dims__(tile::BLOCKS, 1, 1) \
    __launch_bounds__(tile::THREADS, 1)                             \
    name(const __grid_constant__ MappedProblems launch) {           \
        warpgroup_gemm<tile, type, gated>(launch);                  \
    }

#define WARPGROUP_LINEARS(type)                                                              \
    WARPGROUP_LINEAR(linear_##type##_sm90_broad, BroadWarpgroupTile, type, false)            \
    WARPGROUP_LINEAR(linear_##type##_sm90_large, LargeWarpgroupTile, type, false)            \
    WARPGROUP_LINEAR(linear_##type##_gated_sm90_broad, BroadWarpgroupTile, type, true)       \
    WARPGROUP_PAIR_LINEAR(linear_##type##_sm90_pair_broad, BroadWarpgroupPair, type, false)  \
    WARPGROUP_PAIR_LINEAR(linear_##type##_sm90_pair_large, LargeWarpgroupPair, type, false)  \
    WARPGROUP_PAIR_LINEAR(linear_##type##_gated_sm90_pair_broad, BroadWarpgroupPair, type, true)
