// Matrix products on tensor cores: out = epilogue(a b^T + bias), a [m, k], b [n, k], both with k contiguous, so that
// rows of both are what mma.row.col wants and no operand is transposed. Products in T (bf16 or f16), sums in float32.
//
// A block makes one tile [Tile::M, Tile::N] of out, 32 of k at a time. Tiles of the operands pass through a ring of
// Tile::STAGES stages in shared memory; fragments of the next 16 of k are read while the present ones are multiplied.
//
// Large tile: 128 x 128 by 8 warps of 64 x 32 each. Per 16 of k a warp then reads 6 times with ldmatrix for 16 mma,
// which keeps shared memory's 128 bytes a cycle ahead of an A100's tensor cores; 64 sums and 32 fragment registers
// leave room under the 128 registers that let two blocks share an SM; three stages are 48 KiB, the most that needs no
// opt-in, and twice that fits the 100 KiB of a GeForce SM.
// Small tile: 64 x 64 by 4 warps of 32 x 32, four stages (32 KiB): for few rows (adaLN has one for each picture), where
// the weights' way from memory is all that counts, and for products with too few large tiles to fill a card.
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
// lies at tile + chunk_offset(r, c). A loader chooses which thread brings what; no barrier inside, and shared-memory
// writes in land() only. AsyncRows and ConvertingRows below are the two for matrices.
#pragma once
#include "device.cuh"

constexpr int TILE_K = 32;
constexpr int ROW_BYTES = TILE_K * 2;
constexpr int MAX_PROBLEMS = 16;
constexpr int ROW_TILES_PER_GROUP = 8;

template <int M_, int N_, int WARPS_M_, int WARPS_N_, int STAGES_, int BLOCKS_> struct Tile {
    static constexpr int M = M_, N = N_, WARPS_M = WARPS_M_, WARPS_N = WARPS_N_, STAGES = STAGES_;
    static constexpr int BLOCKS = BLOCKS_;  // per SM, for __launch_bounds__
    static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
    static constexpr int WARP_M = M / WARPS_M, WARP_N = N / WARPS_N;
    static constexpr int STAGE_BYTES = (M + N) * ROW_BYTES;
    // The epilogue turns sums into rows in shared memory, WARP_M rows a pass; 8 floats between rows keep banks apart.
    static constexpr int STAGED_COLS = N + 8;
    static constexpr int RING_BYTES = STAGES * STAGE_BYTES;
    static constexpr int STAGED_BYTES = WARP_M * STAGED_COLS * 4;
    static constexpr int SHARED_BYTES = RING_BYTES > STAGED_BYTES ? RING_BYTES : STAGED_BYTES;
};

typedef Tile<128, 128, 2, 4, 3, 2> LargeTile;
typedef Tile<64, 64, 2, 2, 4, 3> SmallTile;

// Where a chunk of 8 elements lies in a tile of 64-byte rows: two rows share the 32 banks, and the position within a
// row is XORed with the number of the row pair, so that the 8 rows of an ldmatrix (one chunk each) and the 8 threads
// of a 128-byte write (two rows of four chunks) both touch every bank once.
static __device__ __forceinline__ u32 chunk_offset(int row, int chunk) {
    return (u32)(row * ROW_BYTES + ((chunk ^ (row >> 1 & 3)) << 4));
}

// ---- What a launch is about.

enum Mode : int { STORE = 0, ADD = 1, MULTIPLY = 2 };

// out = act(y), out + gate act(y) or out act(y) with y = a b^T + bias.
struct Output {
    const void* bias;   // [n] of bias_type, or null
    const float* gate;  // [batch, n], or null for 1
    void* out;          // [m, n] of out_type
    int bias_type;
    int out_type;  // F32, BF16 or F16
    int activation;
    int mode;
    int out_stride;   // elements
    int gate_stride;  // elements
    int gate_rows;    // rows of out for each row of gate
    int m, n, k;
    int first_tile;  // of this problem in the launch
};

template <class AOperand, class BOperand> struct Problem {
    AOperand a;
    BOperand b;
    Output o;
};

// Independent problems, their tiles numbered through: one block for each.
template <class AOperand, class BOperand> struct Problems {
    Problem<AOperand, BOperand> problems[MAX_PROBLEMS];
    int count;
};

// ---- Loaders for matrices.

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

static __device__ __forceinline__ int bytes_of(int type) {
    return type == F32 ? 4 : type == BF16 || type == F16 ? 2 : 1;
}

// Eight elements of T, in pairs, to 16 bytes of shared memory.
static __device__ __forceinline__ void write_chunk(u32 to, const u32 (&pairs)[4]) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(pairs[0]), "r"(pairs[1]), "r"(pairs[2]),
                 "r"(pairs[3]) : "memory");
}

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
        write_chunk(to, y);
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
        // Rare: one by one, and only now.
        const u8* p = from - TILE_K * bytes;
#pragma unroll 1
        for (int i = 0; i < CHUNKS; i++) {
            int count = there >> i & 1 ? left + TILE_K : 0;
#pragma unroll 1
            for (int j = 0; j < 8; j++) {
                T x = from_float<T>(j < count ? load_as_float(p + i * step, type, j) : 0.0f);
                asm volatile("st.shared.b16 [%0], %1;" ::"r"(tile + to + i * STEP * ROW_BYTES + j * 2), "h"(x.bits)
                             : "memory");
            }
        }
    }
};

// ---- The product.

// The sums of one warp, [WARP_M, WARP_N], as fragments of mma.m16n8k16, and its operands for 16 of k.
template <class T, class Shape> struct WarpTile {
    static constexpr int ROWS = Shape::WARP_M / 16, COLS = Shape::WARP_N / 8;
    static constexpr int HALF_BYTES = 32;  // two chunks on, one bit of the swizzled offset

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
        load_matrices(a[i], stage + (a_from ^ (half * HALF_BYTES)) + i * 16 * ROW_BYTES);
    }

    __device__ __forceinline__ void read_b(int half, u32 stage) {
#pragma unroll
        for (int j = 0; j < COLS / 2; j++) {
            load_matrices(b[half][j], stage + (b_from ^ (half * HALF_BYTES)) + j * 16 * ROW_BYTES);
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

    // Writes the sums as rows of floats at `staged`, which is the warp's first column.
    __device__ __forceinline__ void stage(float* staged) const {
        int row = threadIdx.x % 32 / 4;
        int col = threadIdx.x % 4 * 2;
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int j = 0; j < COLS; j++) {
                float* to = staged + (i * 16 + row) * Shape::STAGED_COLS + j * 8 + col;
                *(float2*)to = make_float2(sums[i][j][0], sums[i][j][1]);
                *(float2*)(to + 8 * Shape::STAGED_COLS) = make_float2(sums[i][j][2], sums[i][j][3]);
            }
        }
    }
};

// Bias and activation, in place: a thread has one column.
template <class Shape>
__device__ __forceinline__ void activate_rows(const Output& o, float* staged, int first_col) {
    int col = threadIdx.x % Shape::N;
    float bias = 0.0f;
    if (o.bias != nullptr && first_col + col < o.n) {
        bias = load_as_float(o.bias, o.bias_type, first_col + col);
    }
#pragma unroll 1
    for (int row = threadIdx.x / Shape::N; row < Shape::WARP_M; row += Shape::THREADS / Shape::N) {
        float* y = staged + row * Shape::STAGED_COLS + col;
        *y = activate(o.activation, *y + bias);
    }
}

// Four neighbours of out or the gate, of which `count` are there; together where their address allows it.
static __device__ __forceinline__ void load_four(float (&y)[4], const void* p, int type, long long at, int count) {
    bool whole = count >= 4 && ((u64)p + at * bytes_of(type)) % (4 * bytes_of(type)) == 0;
    if (whole && type == F32) {
        float4 all = *(const float4*)((const float*)p + at);
        y[0] = all.x, y[1] = all.y, y[2] = all.z, y[3] = all.w;
    } else if (whole) {
        uint2 all = *(const uint2*)((const u16*)p + at);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            u16 bits = (u16)((j < 2 ? all.x : all.y) >> j % 2 * 16);
            y[j] = type == BF16 ? to_float(bf16{bits}) : to_float(f16{bits});
        }
    } else {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            y[j] = j >= count ? 0.0f : type == F32 ? ((const float*)p)[at + j]
                    : type == BF16 ? to_float(((const bf16*)p)[at + j]) : to_float(((const f16*)p)[at + j]);
        }
    }
}

static __device__ __forceinline__ void store_four(const float (&y)[4], void* p, int type, long long at, int count) {
    bool whole = count >= 4 && ((u64)p + at * bytes_of(type)) % (4 * bytes_of(type)) == 0;
    if (whole && type == F32) {
        *(float4*)((float*)p + at) = make_float4(y[0], y[1], y[2], y[3]);
    } else if (whole) {
        *(uint2*)((u16*)p + at) = type == BF16 ? make_uint2(pack<bf16>(y[0], y[1]), pack<bf16>(y[2], y[3]))
                : make_uint2(pack<f16>(y[0], y[1]), pack<f16>(y[2], y[3]));
    } else {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (j < count) {
                store_as(p, type, at + j, y[j]);
            }
        }
    }
}

// Rows in shared memory to out: a thread has the same four columns of every row it takes, so that a warp writes 512 or
// 256 bytes side by side.
template <class Shape>
__device__ __forceinline__ void store_rows(const Output& o, const float* staged, int first_row, int first_col) {
    constexpr int LANES = Shape::N / 4;
    int col = threadIdx.x % LANES * 4;
    int count = o.n - (first_col + col);
#pragma unroll 1
    for (int row = threadIdx.x / LANES; row < Shape::WARP_M; row += Shape::THREADS / LANES) {
        int out_row = first_row + row;
        if (count <= 0 || out_row >= o.m) {
            break;
        }
        float4 sums = *(const float4*)(staged + row * Shape::STAGED_COLS + col);
        float y[4] = {sums.x, sums.y, sums.z, sums.w};
        long long at = (long long)out_row * o.out_stride + first_col + col;
        if (o.mode != STORE) {
            float gate[4] = {1.0f, 1.0f, 1.0f, 1.0f};
            if (o.gate != nullptr) {
                long long gate_at = (long long)(out_row / o.gate_rows) * o.gate_stride + first_col + col;
                load_four(gate, o.gate, F32, gate_at, count);
            }
            float old[4];
            load_four(old, o.out, o.out_type, at, count);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                y[j] = o.mode == ADD ? old[j] + gate[j] * y[j] : old[j] * y[j];
            }
        }
        store_four(y, o.out, o.out_type, at, count);
    }
}

// One tile of one of the launch's problems.
template <class Shape, typename T, template <typename, int, int> class ALoader,
          template <typename, int, int> class BLoader, class Launch>
__device__ __forceinline__ void gemm(const Launch& launch) {
    __shared__ __align__(128) u8 shared[Shape::SHARED_BYTES];
    int tile = blockIdx.x;
    int i = 0;
    while (i + 1 < launch.count && tile >= launch.problems[i + 1].o.first_tile) {
        i++;
    }
    const Output& o = launch.problems[i].o;
    tile -= o.first_tile;

    // Blocks that run together take the columns of a few rows of tiles, so that both operands stay in the L2 cache.
    int tile_rows = (o.m + Shape::M - 1) / Shape::M;
    int tile_cols = (o.n + Shape::N - 1) / Shape::N;
    int group = tile / (ROW_TILES_PER_GROUP * tile_cols);
    int group_rows = min(ROW_TILES_PER_GROUP, tile_rows - group * ROW_TILES_PER_GROUP);
    int in_group = tile - group * ROW_TILES_PER_GROUP * tile_cols;
    int first_row = (group * ROW_TILES_PER_GROUP + in_group % group_rows) * Shape::M;
    int first_col = in_group / group_rows * Shape::N;

    ALoader<T, Shape::M, Shape::THREADS> a;
    BLoader<T, Shape::N, Shape::THREADS> b;
    WarpTile<T, Shape> warp;
    constexpr int B_OFFSET = Shape::M * ROW_BYTES;
    u32 ring = shared_address(shared);
    a.open(launch.problems[i].a, first_row, o.m, o.k);
    b.open(launch.problems[i].b, first_col, o.n, o.k);
    warp.open();

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
    u32 filling = last;
    warp.read(0, reading);
#pragma unroll 1
    for (int left = o.k; left > 0; left -= TILE_K) {
        // The stage being filled is the one read before this: every warp was through with it at the barrier.
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
        filling = reading;
        reading = next;
    }

    float* staged = (float*)shared;
    int warp_index = threadIdx.x / 32;
    copy_wait<0>();
#pragma unroll 1
    for (int pass = 0; pass < Shape::WARPS_M; pass++) {
        __syncthreads();
        if (warp_index / Shape::WARPS_N == pass) {
            warp.stage(staged + warp_index % Shape::WARPS_N * Shape::WARP_N);
        }
        __syncthreads();
        if (o.bias != nullptr || o.activation != NONE) {
            activate_rows<Shape>(o, staged, first_col);
            __syncthreads();
        }
        store_rows<Shape>(o, staged, first_row + pass * Shape::WARP_M, first_col);
    }
}
