// Tiles of a matrix product: their shapes, and how the operands' lie in shared memory.
//
// Large tile: 128 x 128 by 8 warps of 64 x 32 each. Per 16 of k a warp then reads 6 times with ldmatrix for 16 mma, 24
// cycles of shared memory's 128 bytes; the copies' writes take 8 more of the 32 that an A100's tensor cores need, so
// the two are equally busy there, and on an H100 shared memory is the limit; 64 sums and 32 fragment registers leave
// room under the 128 registers that let two blocks share an SM; three stages are 48 KiB, the most that needs no opt-in,
// and twice that fits the 100 KiB of a GeForce SM.
// Broad tile: 128 x 256 by 8 warps of 64 x 64, for products that fill a card with it. Per 16 of k a warp reads 8 times
// with ldmatrix for 32 mma, and a copied byte serves a third more products: 44 cycles of shared memory where two large
// tiles take 64, 24 bytes of the L2 cache for their 32. Its 128 sums a thread give a block an SM to itself; four stages
// are 96 KiB of dynamic shared memory, of the 99 that a block can have on every card.
// Small tile: 64 x 64 by 4 warps of 32 x 32, four stages (32 KiB): for few rows (adaLN has one for each picture), where
// the weights' way from memory is all that counts, and for products with too few large tiles to fill a card.
#pragma once
#include "device.cuh"

constexpr int TILE_K = 32;
constexpr int ROW_BYTES = TILE_K * 2;

template <int M_, int N_, int WARPS_M_, int WARPS_N_, int STAGES_> struct Tile {
    static constexpr int M = M_, N = N_, WARPS_M = WARPS_M_, WARPS_N = WARPS_N_, STAGES = STAGES_;
    static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
    static constexpr int WARP_M = M / WARPS_M, WARP_N = N / WARPS_N;
    static constexpr int STAGE_BYTES = (M + N) * ROW_BYTES;
    // The epilogue turns sums into rows in shared memory, WARP_M rows a pass; 8 floats between rows keep banks apart.
    static constexpr int STAGED_COLS = N + 8;
    static constexpr int RING_BYTES = STAGES * STAGE_BYTES;
    static constexpr int STAGED_BYTES = WARP_M * STAGED_COLS * 4;
    static constexpr int SHARED_BYTES = RING_BYTES > STAGED_BYTES ? RING_BYTES : STAGED_BYTES;
};

typedef Tile<128, 128, 2, 4, 3> LargeTile;
typedef Tile<128, 256, 2, 4, 4> BroadTile;
typedef Tile<64, 64, 2, 2, 4> SmallTile;

// Where a chunk of 8 elements lies in a tile of 64-byte rows: two rows share the 32 banks, and the position within a
// row is XORed with the number of the row pair, so that the 8 rows of an ldmatrix (one chunk each) and the 8 threads
// of a 128-byte write (two rows of four chunks) both touch every bank once.
static __device__ __forceinline__ u32 chunk_offset(int row, int chunk) {
    return (u32)(row * ROW_BYTES + ((chunk ^ (row >> 1 & 3)) << 4));
}

static __device__ __forceinline__ void write_chunk(u32 to, u32 x, u32 y, u32 z, u32 w) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}

// Of rows of sums, by one instruction: nvcc makes two of some stores of a float2, and each of those meets half the
// banks twice.
static __device__ __forceinline__ void write_pair(u32 to, float x, float y) {
    asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(to), "f"(x), "f"(y) : "memory");
}

static __device__ __forceinline__ int bytes_of(int type) {
    return type == F32 ? 4 : type == BF16 || type == F16 ? 2 : 1;
}
