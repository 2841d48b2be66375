// Matrix products on tensor cores: out = epilogue(a b^T + bias), a [m, k], b [n, k], both with k contiguous, so that
// rows of both are what mma.row.col wants and no operand is transposed. Products in T (bf16 or f16), sums in float32.
//
// A block makes one tile [Tile::M, Tile::N] of out, 32 of k at a time. Tiles of the operands pass through a ring of
// Tile::STAGES stages in shared memory; fragments of the next 16 of k are read while the present ones are multiplied.
//
// HOW A LOADER PLUGS IN. An operand reaches shared memory by a loader, a struct template <typename T, int ROWS,
// int THREADS> of which every thread of the block has one:
//   struct Operand {...};   plain data that the launch carries for each problem (pointers, strides, type codes)
//   void open(const Operand& o, int first, int rows, int k);   ROWS rows from `first` of `rows` rows of k elements
//   void fetch(u32 tile);   begins to bring the next 32 of k, [ROWS, 32] of T, to the shared address `tile`: either by
//                           copy_async (the caller commits), or by loads into registers
//   void land(u32 tile);    the rest of fetch's work, called after a tile's mma: converts and writes the registers that
//                           the latest fetch filled; empty for copy_async
// Tiles come in order, so a loader keeps its own position. All of the tile is written each time, with zeros outside the
// operand, also past the last of k (the ring runs STAGES - 1 tiles over). Chunk c (elements 8 c to 8 c + 7) of row r
// lies at tile + chunk_offset(r, c). A loader chooses which thread brings what. No barrier inside fetch() and land(),
// and writes of the tile by plain stores in land() only. loaders.cuh has the two for matrices.
#pragma once
#include "epilogue.cuh"
#include "loaders.cuh"

constexpr int MAX_PROBLEMS = 16;
constexpr int ROW_TILES_PER_GROUP = 8;

// A second product, of few k, that is added to the first: x through the low-rank pair of an adapter. Rows of T as
// AsyncRows takes them.
struct Side {
    Rows a;  // [m, k]
    Rows b;  // [n, k]
    int k;   // 0 for none
};

template <class AOperand, class BOperand> struct Problem {
    AOperand a;
    BOperand b;
    Side side;
    Output o;
};

// Independent problems, their tiles numbered through: one block for each.
template <class AOperand, class BOperand, int MOST_ = MAX_PROBLEMS> struct Problems {
    static constexpr int MOST = MOST_;
    Problem<AOperand, BOperand> problems[MOST];
    int count;
};

// The sums of one warp, [WARP_M, WARP_N], as fragments of mma.m16n8k16, and its operands for 16 of k.
template <class T, class Shape> struct WarpTile {
    static constexpr int ROWS = Shape::WARP_M / 16, COLS = Shape::WARP_N / 8;
    static constexpr int HALF_BYTES = 32;  // two chunks on: one bit of the swizzled offset, and of the address

    float sums[ROWS][COLS][4];
    u32 a[ROWS][4];
    u32 b[2][COLS / 2][4];
    u32 a_from, b_from;  // of this lane's row, within a stage

    __device__ __forceinline__ void open() {
        int lane = threadIdx.x % 32;
        int warp_row = threadIdx.x / 32 / Shape::WARPS_N * Shape::WARP_M;
        int warp_col = threadIdx.x / 32 % Shape::WARPS_N * Shape::WARP_N;
        // a: rows 0-7 and 8-15 of the first chunk, then of the second. b: both chunks of rows 0-7, then of rows 8-15.
        a_from = chunk_offset(warp_row + lane % 16, lane / 16);
        b_from = Shape::M * ROW_BYTES + chunk_offset(warp_col + lane % 8 + lane / 16 * 8, lane / 8 % 2);
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int j = 0; j < COLS; j++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    sums[i][j][e] = 0.0f;
                }
            }
        }
    }

    // What multiply() needs before its first half of the ring: `half` 0 or 1 of a stage's 32 of k.
    __device__ __forceinline__ void read(int half, u32 stage) {
        read_b(half, stage);
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            read_a(i, half, stage);
        }
    }

    __device__ __forceinline__ void read_a(int i, int half, u32 stage) {
        load_matrices(a[i], ((stage + a_from) ^ (half * HALF_BYTES)) + i * 16 * ROW_BYTES);
    }

    __device__ __forceinline__ void read_b(int half, u32 stage) {
#pragma unroll
        for (int j = 0; j < COLS / 2; j++) {
            load_matrices(b[half][j], ((stage + b_from) ^ (half * HALF_BYTES)) + j * 16 * ROW_BYTES);
        }
    }

    // Multiplies the fragments of `half` and reads those of `next` from `stage`: b ahead into its other buffer, each
    // row of a as soon as it has been used, a whole round of the other rows before it is needed.
    __device__ __forceinline__ void multiply(int half, int next, u32 stage) {
        read_b(next, stage);
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int j = 0; j < COLS; j++) {
                multiply_add<T>(sums[i][j], a[i], b[half][j / 2][j % 2 * 2], b[half][j / 2][j % 2 * 2 + 1]);
            }
            read_a(i, next, stage);
        }
    }

    __device__ __forceinline__ void scale(float factor) {
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int j = 0; j < COLS; j++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    sums[i][j][e] *= factor;
                }
            }
        }
    }

    // The sums of a tile of the same shape, whose products are of another type.
    template <class Other> __device__ __forceinline__ void take(const Other& other) {
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int j = 0; j < COLS; j++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    sums[i][j][e] = other.sums[i][j][e];
                }
            }
        }
    }

    // Writes the sums as rows of floats at `staged`, which is the warp's first column.
    __device__ __forceinline__ void stage(float* staged) const {
        u32 to = shared_address(staged + threadIdx.x % 32 / 4 * Shape::STAGED_COLS + threadIdx.x % 4 * 2);
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int j = 0; j < COLS; j++) {
                u32 place = to + (i * 16 * Shape::STAGED_COLS + j * 8) * 4;
                write_pair(place, sums[i][j][0], sums[i][j][1]);
                write_pair(place + 8 * Shape::STAGED_COLS * 4, sums[i][j][2], sums[i][j][3]);
            }
        }
    }
};

// Where a tile of the launch lies: of which problem, and where in it; a tile of out has COLS columns.
template <class Shape, int COLS> struct Place {
    int problem;
    int first_row, first_col;

    template <class Launch> __device__ __forceinline__ Place(const Launch& launch, int tile) {
        problem = 0;
        while (Launch::MOST > 1 && problem + 1 < launch.count && tile >= launch.problems[problem + 1].o.first_tile) {
            problem++;
        }
        const Output& o = launch.problems[problem].o;
        tile -= o.first_tile;

        // Blocks that run together take the columns of a few rows of tiles, so that both operands stay in the L2 cache.
        int rows = (o.m + Shape::M - 1) / Shape::M;
        int cols = (o.n + COLS - 1) / COLS;
        int group = tile / (ROW_TILES_PER_GROUP * cols);
        int group_rows = min(ROW_TILES_PER_GROUP, rows - group * ROW_TILES_PER_GROUP);
        int in_group = tile - group * ROW_TILES_PER_GROUP * cols;
        first_row = (group * ROW_TILES_PER_GROUP + in_group % group_rows) * Shape::M;
        first_col = in_group / group_rows * COLS;
    }
};

// What a block gets without asking for more; beyond that the launch gives it.
constexpr int USUAL_SHARED_BYTES = 48 << 10;

template <int BYTES> __device__ __forceinline__ u8* shared_of_block() {
    if constexpr (BYTES <= USUAL_SHARED_BYTES) {
        __shared__ __align__(128) u8 shared[BYTES];
        return shared;
    } else {
        extern __shared__ __align__(128) u8 given[];
        return given;
    }
}

// Adds a product to the sums: its tiles pass through the ring, which must be free.
template <class Shape, class Warp, class ALoader, class BLoader>
__device__ __forceinline__ void accumulate(Warp& warp, u32 ring, ALoader& a, BLoader& b, const int& k) {
    constexpr int B_OFFSET = Shape::M * ROW_BYTES;

#pragma unroll 1
    for (int s = 0; s < Shape::STAGES - 1; s++) {
        u32 stage = ring + s * Shape::STAGE_BYTES;
        a.fetch(stage);
        b.fetch(stage + B_OFFSET);
        copy_commit();
        a.land(stage);
        b.land(stage + B_OFFSET);
    }
    copy_wait<Shape::STAGES - 2>();
    __syncthreads();

    u32 last = ring + (Shape::STAGES - 1) * Shape::STAGE_BYTES;
    u32 reading = ring;
    warp.read(0, reading);
#pragma unroll 1
    for (int left = k; left > 0; left -= TILE_K) {
        // The stage being filled is the one read before this: every warp was through with it at the barrier.
        u32 filling = reading == ring ? last : reading - Shape::STAGE_BYTES;
        a.fetch(filling);
        b.fetch(filling + B_OFFSET);
        copy_commit();
        warp.multiply(0, 1, reading);
        copy_wait<Shape::STAGES - 2>();
        __syncthreads();
        u32 next = reading == last ? ring : reading + Shape::STAGE_BYTES;
        warp.multiply(1, 0, next);
        a.land(filling);
        b.land(filling + B_OFFSET);
        reading = next;
    }
    copy_wait<0>();
}

// A block's sums to global memory: bias and activation, or gates, and how they meet what is there. `shared` is free.
template <class Shape, bool GATED, class Warp>
__device__ __forceinline__ void put_out(const Output& o, const Warp& warp, u8* shared, int tile_row, int first_col) {
    constexpr int COLS = GATED ? Shape::N / 2 : Shape::N;
    float* staged = (float*)shared;
    int warp_index = threadIdx.x / 32;
#pragma unroll 1
    for (int pass = 0; pass < Shape::WARPS_M; pass++) {
        int first_row = tile_row + pass * Shape::WARP_M;
        __syncthreads();
        if (warp_index / Shape::WARPS_N == pass) {
            warp.stage(staged + warp_index % Shape::WARPS_N * Shape::WARP_N);
        }
        __syncthreads();
        if (GATED) {
            gate_rows<Shape>(o, staged, first_col);
            __syncthreads();
        } else if (o.bias != nullptr || o.activation != NONE) {
            activate_rows<Shape>(o, staged, first_row, first_col);
            __syncthreads();
        }
        store_rows<Shape, COLS>(o, staged, first_row, first_col);
    }
}

// One tile of one of the launch's problems; SIDED kernels apply its scale and add its side product. GATED ones make
// columns of values and, by a loader of halves, as many of gates, and store the values times the activated gates.
template <class Shape, typename T, template <typename, int, int> class ALoader,
          template <typename, int, int> class BLoader, bool SIDED = false, bool GATED = false, class Launch>
__device__ __forceinline__ void gemm(const Launch& launch) {
    u8* shared = shared_of_block<Shape::SHARED_BYTES>();
    constexpr int COLS = GATED ? Shape::N / 2 : Shape::N;
    Place<Shape, COLS> place(launch, blockIdx.x);
    const Output& o = launch.problems[place.problem].o;
    ALoader<T, Shape::M, Shape::THREADS> a;
    BLoader<T, Shape::N, Shape::THREADS> b;
    WarpTile<T, Shape> warp;
    u32 ring = shared_address(shared);
    a.open(launch.problems[place.problem].a, place.first_row, o.m, o.k);
    b.open(launch.problems[place.problem].b, place.first_col, o.n, o.k);
    warp.open();
    accumulate<Shape>(warp, ring, a, b, o.k);
    if (SIDED && o.scale != 1.0f) {
        warp.scale(o.scale);
    }
    const Side& side = launch.problems[place.problem].side;
    if (SIDED && side.k > 0) {
        __syncthreads();
        AsyncRows<T, Shape::M, Shape::THREADS> left;
        AsyncRows<T, Shape::N, Shape::THREADS> right;
        left.open(side.a, place.first_row, o.m, side.k);
        right.open(side.b, place.first_col, o.n, side.k);
        accumulate<Shape>(warp, ring, left, right, side.k);
    }
    put_out<Shape, GATED>(o, warp, shared, place.first_row, place.first_col);
}
