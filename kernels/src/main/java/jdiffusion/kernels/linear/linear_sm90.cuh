// linear.cuh's products of operands of their own type for cards of compute capability 9.0: by products of warpgroups,
// on tiles that the TMA brings. Names: linear_<type>[_gated]_sm90_<tile>.
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
#pragma once
#include "gemm.cuh"
#include "sm90.cuh"

// On their way to memory sums lie in rows of so many floats, 16 rows of each warp.
constexpr int STAGED_COLS = 64;

template <int N_, int STAGES_> struct WarpgroupTile {
    static constexpr int M = 128, N = N_, STAGES = STAGES_, K = 64;
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

struct MappedProblem {
    TensorMap a;  // [m, k], boxes of 128 x 64
    TensorMap b;  // [n, k], boxes of N x 64; of a gated layer [2 n, k], boxes of N / 2 x 64
    Output o;
};

struct MappedProblems {
    static constexpr int MOST = 10;
    MappedProblem problems[MOST];
    int count;
    int tiles;  // of all
};

// The barriers of a ring, by stage: full when a stage's bytes are there, empty when all warps are through with it.
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
            open_barrier(empty(i), Tile::CONSUMERS * 4);
        }
        barriers_opened();
    }
};

// One thread: brings the stages of all tiles of this block.
template <class Tile, bool GATED, class Launch>
__device__ __forceinline__ void bring_tiles(const Launch& launch, const Ring<Tile>& ring) {
    constexpr int COLS = GATED ? Tile::N / 2 : Tile::N;
    RingPlace<Tile::STAGES> at;
#pragma unroll 1
    for (int tile = blockIdx.x; tile < launch.tiles; tile += gridDim.x) {
        Place<Tile, COLS> place(launch, tile);
        const MappedProblem& problem = launch.problems[place.problem];
        int k = problem.o.k;
#pragma unroll 1
        for (int first = 0; first < k; first += Tile::K) {
            // An empty ring's stages are free: the phase before the first counts as over.
            await(ring.empty(at.stage), at.parity ^ 1);
            u32 full = ring.full(at.stage);
            u32 to = ring.stage(at.stage);
            arrive_expecting(full, Tile::STAGE_BYTES);
            copy_box(to, problem.a, first, place.first_row, full);
            copy_box(to + Tile::A_BYTES, problem.b, first, place.first_col, full);
            if (GATED) {
                copy_box(to + Tile::A_BYTES + COLS * SWIZZLED_ROW, problem.b, first, problem.o.n + place.first_col,
                         full);
            }
            at.next();
        }
    }
}

// sums of a consumer's 64 rows, over all of k.
template <class Tile, typename T>
__device__ __forceinline__ void multiply_tile(float (&sums)[Tile::N / 2], const Ring<Tile>& ring,
                                              RingPlace<Tile::STAGES>& at, int k) {
    u32 rows = (threadIdx.x / WARPGROUP - 1) * 64 * SWIZZLED_ROW;
    bool releases = threadIdx.x % 32 == 0;
    int last = -1;
#pragma unroll 1
    for (int left = k; left > 0; left -= Tile::K) {
        await(ring.full(at.stage), at.parity);
        u64 a = operand_of(ring.stage(at.stage) + rows);
        u64 b = operand_of(ring.stage(at.stage) + Tile::A_BYTES);
        hold(sums);
        products_begin();
#pragma unroll
        for (int step = 0; step < Tile::K / 16; step++) {
            multiply<T, Tile::N>(sums, a + step * NEXT_16_OF_K, b + step * NEXT_16_OF_K, step > 0 || last >= 0);
        }
        products_commit();
        // One stage's products stay under way; those before are done, and their stage is free.
        products_wait<1>();
        if (releases && last >= 0) {
            arrive(ring.empty(last));
        }
        last = at.stage;
        at.next();
    }
    products_wait<0>();
    hold(sums);
    if (releases) {
        arrive(ring.empty(last));
    }
}

// Where a warp's staged rows have run `j` of 8 columns of row `row`: runs change places by exclusive-or with the row's
// number, which keeps the writes of sums and the reads of rows free of bank conflicts.
static __device__ __forceinline__ int staged_at(int row, int j) {
    return row * STAGED_COLS + (j ^ (row & 7)) * 8;
}

// A warp's 16 rows of sums to out by way of shared memory, 64 columns of sums at a time. Of a GATED layer the upper
// half of the sums are gates, so that a pass takes 32 columns of values and theirs.
template <class Tile, bool GATED> struct WarpRows {
    static constexpr int COLS = GATED ? STAGED_COLS / 2 : STAGED_COLS;  // of out in a pass
    static constexpr int PASSES = Tile::N / STAGED_COLS;
    static constexpr int LANES = COLS / 4;  // of a row
    static constexpr int STEP = 32 / LANES;
    static constexpr int ROWS = Tile::WARP_M / STEP;  // of a lane

    const Output& o;
    float* staged;
    int row, col;  // of out, the lane's first ones
    int count;     // of its four columns that are there

    __device__ __forceinline__ WarpRows(const Output& o, float* staged, int first_row, int first_col)
            : o(o), staged(staged), row(first_row + threadIdx.x % 32 / LANES),
              col(first_col + threadIdx.x % LANES * 4) {
    }

    __device__ __forceinline__ bool exists(int i) const {
        return row + i * STEP < o.m && count > 0;
    }

    // This lane's four columns of its row i.
    __device__ __forceinline__ float4* at(int i, int cols_on = 0) const {
        int own_col = cols_on + threadIdx.x % LANES * 4;
        return (float4*)(staged + staged_at(threadIdx.x % 32 / LANES + i * STEP, own_col / 8) + own_col % 8);
    }

    __device__ __forceinline__ void stage(const float (&sums)[Tile::N / 2], int pass) const {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            if (i != pass) {
                continue;
            }
#pragma unroll
            for (int j = 0; j < STAGED_COLS / 8; j++) {
                constexpr int RUNS = COLS / 8;  // of out
                int from = 4 * (i * RUNS + (j < RUNS ? j : Tile::N / 16 + j - RUNS));
                float* to = staged + staged_at(lane / 4, j) + lane % 4 * 2;
                *(float2*)to = make_float2(sums[from], sums[from + 1]);
                *(float2*)(to + 8 * STAGED_COLS) = make_float2(sums[from + 2], sums[from + 3]);
            }
        }
    }

    __device__ __forceinline__ void load_bias(float (&bias)[4], long long at) const {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            bias[j] = j < count ? load_as_float(o.bias, o.bias_type, at + j) : 0.0f;
        }
    }

    // Bias and activation, in place.
    __device__ __forceinline__ void activate_staged() const {
        float bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        float gate_bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        int next_bias = o.bias != nullptr ? 0 : o.m;
#pragma unroll 1
        for (int i = 0; i < ROWS && exists(i); i++) {
            if (row + i * STEP >= next_bias) {
                int run = (row + i * STEP) / o.bias_rows;
                load_bias(bias, (long long)run * o.bias_stride + col);
                if (GATED) {
                    load_bias(gate_bias, (long long)o.n + col);
                }
                next_bias = (run + 1) * o.bias_rows;
            }
            float4 y = *at(i);
            y = make_float4(y.x + bias[0], y.y + bias[1], y.z + bias[2], y.w + bias[3]);
            if (GATED) {
                float4 gate = *at(i, COLS);
                y.x *= activate(o.activation, gate.x + gate_bias[0]);
                y.y *= activate(o.activation, gate.y + gate_bias[1]);
                y.z *= activate(o.activation, gate.z + gate_bias[2]);
                y.w *= activate(o.activation, gate.w + gate_bias[3]);
            } else {
                y.x = activate(o.activation, y.x);
                y.y = activate(o.activation, y.y);
                y.z = activate(o.activation, y.z);
                y.w = activate(o.activation, y.w);
            }
            *at(i) = y;
        }
    }

    __device__ __forceinline__ float4* out_at(int i) const {
        return (float4*)((float*)o.out + (long long)(row + i * STEP) * o.out_stride + col);
    }

    // out += gate y in float32, whole fours of columns.
    __device__ __forceinline__ void add(const float4 (&old)[ROWS]) const {
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            if (exists(i)) {
                float4 y = *at(i);
                float4 gate = make_float4(1.0f, 1.0f, 1.0f, 1.0f);
                if (o.gate != nullptr) {
                    gate = *(const float4*)(o.gate + (long long)((row + i * STEP) / o.gate_rows) * o.gate_stride + col);
                }
                *out_at(i) = make_float4(old[i].x + gate.x * y.x, old[i].y + gate.y * y.y, old[i].z + gate.z * y.z,
                                         old[i].w + gate.w * y.w);
            }
        }
    }

    __device__ __forceinline__ void store(const float (&sums)[Tile::N / 2]) {
        bool whole = o.n % 4 == 0 && (o.out_stride | o.gate_stride) % 4 == 0 && ((u64)o.out | (u64)o.gate) % 16 == 0;
        bool adds = !GATED && o.mode == ADD && o.out_type == F32 && whole;
#pragma unroll 1
        for (int pass = 0; pass < PASSES; pass++, col += COLS) {
            count = o.n - col;
            float4 old[ROWS];
            if (adds) {
                // All at once, long before the first is used.
#pragma unroll
                for (int i = 0; i < ROWS; i++) {
                    old[i] = exists(i) ? *out_at(i) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                }
            }
            __syncwarp();
            stage(sums, pass);
            __syncwarp();
            if (GATED || o.bias != nullptr || o.activation != NONE) {
                activate_staged();
            }
            if (adds) {
                add(old);
                continue;
            }
#pragma unroll 1
            for (int i = 0; i < ROWS && exists(i); i++) {
                float4 staged_y = *at(i);
                float y[4] = {staged_y.x, staged_y.y, staged_y.z, staged_y.w};
                long long to = (long long)(row + i * STEP) * o.out_stride + col;
                if constexpr (GATED) {
                    store_four(y, o.out, o.out_type, to, count);
                } else {
                    float old_four[4];
                    if (o.mode != STORE) {
                        load_four(old_four, o.out, o.out_type, to, count);
                    }
                    meet(o, y, old_four, row + i * STEP, col, count);
                }
            }
        }
    }
};

template <class Tile, typename T, bool GATED = false, class Launch>
__device__ __forceinline__ void warpgroup_gemm(const Launch& launch) {
    constexpr int COLS = GATED ? Tile::N / 2 : Tile::N;
    extern __shared__ __align__(SWIZZLED_GROUP) u8 given[];
    Ring<Tile> ring{shared_address(given)};
    if (threadIdx.x == 0) {
        ring.open();
    }
    __syncthreads();
    if (threadIdx.x / WARPGROUP == 0) {
        keep_registers<Tile::PRODUCER_REGISTERS>();
        if (threadIdx.x == 0) {
            bring_tiles<Tile, GATED>(launch, ring);
        }
        return;
    }
    take_registers<Tile::CONSUMER_REGISTERS>();
    int warp = threadIdx.x / 32 - WARPGROUP / 32;
    RingPlace<Tile::STAGES> at;
    float sums[Tile::N / 2];
#pragma unroll 1
    for (int tile = blockIdx.x; tile < launch.tiles; tile += gridDim.x) {
        Place<Tile, COLS> place(launch, tile);
        const Output& o = launch.problems[place.problem].o;
        multiply_tile<Tile, T>(sums, ring, at, o.k);
        WarpRows<Tile, GATED> rows(o, (float*)(given + Tile::STAGED_AT + warp * Tile::STAGED_BYTES),
                                   place.first_row + warp * Tile::WARP_M, place.first_col);
        rows.store(sums);
    }
}

#define WARPGROUP_LINEAR(name, tile, type, gated)                   \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, 1)  \
    name(const __grid_constant__ MappedProblems launch) {           \
        warpgroup_gemm<tile, type, gated>(launch);                  \
    }

#define WARPGROUP_LINEARS(type)                                                    \
    WARPGROUP_LINEAR(linear_##type##_sm90_broad, BroadWarpgroupTile, type, false)  \
    WARPGROUP_LINEAR(linear_##type##_sm90_large, LargeWarpgroupTile, type, false)  \
    WARPGROUP_LINEAR(linear_##type##_gated_sm90_broad, BroadWarpgroupTile, type, true)
