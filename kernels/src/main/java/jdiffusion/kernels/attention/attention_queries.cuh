// What a warp of attention.cu does with its queries: products with tiles of K and V, and the softmax between them.
#pragma once

#include "tiles.cuh"

static constexpr int THREADS = 128;

template <int D> struct Shape {
    static constexpr int TILES = D <= 72 ? 2 : 1;
    static constexpr int ROWS = 4 * 16 * TILES;
    static constexpr int KEYS = ROWS / 2;
    static constexpr int CHUNKS = D / 8;
    static constexpr int STEPS = (D + 15) / 16;
    static constexpr bool HALF_STEP = D % 16 != 0;
    static constexpr int TILE_BYTES = KEYS * D * 2;
};

// One warp's queries: fragments of Q, the output's sums, and of each row the largest score and this lane's part of
// the softmax's sum. Index [i][j] of rows: row 16 i + 8 j + lane / 4.
template <typename T, int D> struct Queries {
    static constexpr int TILES = Shape<D>::TILES;
    static constexpr int KEYS = Shape<D>::KEYS;
    static constexpr int CHUNKS = Shape<D>::CHUNKS;

    u32 q[TILES][Shape<D>::STEPS][4];
    float out[TILES][D / 8][4];
    float largest[TILES][2];
    float sum[TILES][2];

    __device__ __forceinline__ void start(u32 tile, int firstRow) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
            u32 from = tile + place<CHUNKS>(firstRow + 16 * i + lane % 16, lane / 16);
#pragma unroll
            for (int step = 0; step < D / 16; step++) {
                load_matrices(q[i][step], across<CHUNKS>(from, 2 * step));
            }
            if constexpr (Shape<D>::HALF_STEP) {
                load_matrices(q[i][D / 16], tile + place<CHUNKS>(firstRow + 16 * i + lane % 16, D / 16 * 2));
                q[i][D / 16][2] = q[i][D / 16][3] = 0;
            }
#pragma unroll
            for (int c = 0; c < D / 8; c++) {
                out[i][c][0] = out[i][c][1] = out[i][c][2] = out[i][c][3] = 0;
            }
            largest[i][0] = largest[i][1] = minus_infinity();
            sum[i][0] = sum[i][1] = 0;
        }
    }

    // scores = Q K^T, unscaled.
    __device__ __forceinline__ void score(u32 k, float (&scores)[TILES][KEYS / 8][4]) {
        int lane = threadIdx.x % 32;
        u32 from = k + place<CHUNKS>(lane % 8 + lane / 16 * 8, lane / 8 % 2);
#pragma unroll
        for (int i = 0; i < TILES; i++) {
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
                scores[i][j][0] = scores[i][j][1] = scores[i][j][2] = scores[i][j][3] = 0;
            }
        }
#pragma unroll
        for (int step = 0; step < D / 16; step++) {
#pragma unroll
            for (int j = 0; j < KEYS / 8; j += 2) {
                u32 keys[4];
                load_matrices(keys, across<CHUNKS>(from, 2 * step) + 8 * j * CHUNKS * 16);
#pragma unroll
                for (int i = 0; i < TILES; i++) {
                    multiply_add<T>(scores[i][j], q[i][step], keys[0], keys[1]);
                    multiply_add<T>(scores[i][j + 1], q[i][step], keys[2], keys[3]);
                }
            }
        }
        if constexpr (Shape<D>::HALF_STEP) {
            from = k + place<CHUNKS>(lane, D / 16 * 2);
#pragma unroll
            for (int j = 0; j < KEYS / 8; j += 4) {
                u32 keys[4];
                load_matrices(keys, from + 8 * j * CHUNKS * 16);
#pragma unroll
                for (int i = 0; i < TILES; i++) {
#pragma unroll
                    for (int tile = 0; tile < 4; tile++) {
                        multiply_add<T>(scores[i][j + tile], q[i][D / 16], keys[tile], 0);
                    }
                }
            }
        }
    }

    // scores = scores * factor + bias.
    static __device__ __forceinline__ void add_bias(const float* bias, int firstRow, float factor,
                                                    float (&scores)[TILES][KEYS / 8][4]) {
        int lane = threadIdx.x % 32;
        bias += lane % 4 * 2 - (firstRow + lane / 4) + Shape<D>::ROWS - 1;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    scores[i][j][e] = fmaf(scores[i][j][e], factor, bias[8 * j - 16 * i + e % 2 - e / 2 * 8]);
                }
            }
        }
    }

    // -infinity for keys of the tile that are not there, and with a causal mask for those after the query, where
    // `past` is how many keys of the tile the block's first query sees beyond itself.
    static __device__ __forceinline__ void mask(int keys, bool causal, int past,
                                                float (&scores)[TILES][KEYS / 8][4]) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int end = causal ? min(keys, past + 16 * i + e / 2 * 8 + lane / 4 + 1) : keys;
                int key = lane % 4 * 2 + e % 2;
#pragma unroll
                for (int j = 0; j < KEYS / 8; j++) {
                    scores[i][j][e] = key + 8 * j < end ? scores[i][j][e] : minus_infinity();
                }
            }
        }
    }

    // Scores become powers, the sums before them shrink to the new largest score.
    __device__ __forceinline__ void soften(float factor, float (&scores)[TILES][KEYS / 8][4]) {
#pragma unroll
        for (int i = 0; i < TILES; i++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float most = largest[i][half];
#pragma unroll
                for (int j = 0; j < KEYS / 8; j++) {
                    most = fmaxf(most, fmaxf(scores[i][j][2 * half], scores[i][j][2 * half + 1]));
                }
                most = row_max(most);
                float reference = reference_of(most);
                float shrink = power_of(largest[i][half], reference, factor);
                largest[i][half] = most;
                float total = 0;
#pragma unroll
                for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
                    for (int e = 2 * half; e < 2 * half + 2; e++) {
                        scores[i][j][e] = power_of(scores[i][j][e], reference, factor);
                        total += scores[i][j][e];
                    }
                }
                sum[i][half] = fmaf(sum[i][half], shrink, total);
#pragma unroll
                for (int c = 0; c < D / 8; c++) {
                    out[i][c][2 * half] *= shrink;
                    out[i][c][2 * half + 1] *= shrink;
                }
            }
        }
    }

    // out += P V.
    __device__ __forceinline__ void gather(u32 v, const float (&powers)[TILES][KEYS / 8][4]) {
        int lane = threadIdx.x % 32;
        u32 from = v + place<CHUNKS>(lane % 16, lane / 16);
#pragma unroll
        for (int j = 0; j < KEYS / 8; j += 2) {
            u32 p[TILES][4];
#pragma unroll
            for (int i = 0; i < TILES; i++) {
                p[i][0] = pack<T>(powers[i][j][0], powers[i][j][1]);
                p[i][1] = pack<T>(powers[i][j][2], powers[i][j][3]);
                p[i][2] = pack<T>(powers[i][j + 1][0], powers[i][j + 1][1]);
                p[i][3] = pack<T>(powers[i][j + 1][2], powers[i][j + 1][3]);
            }
#pragma unroll
            for (int c = 0; c + 1 < D / 8; c += 2) {
                u32 values[4];
                load_matrices_transposed(values, across<CHUNKS>(from, c) + 8 * j * CHUNKS * 16);
#pragma unroll
                for (int i = 0; i < TILES; i++) {
                    multiply_add<T>(out[i][c], p[i], values[0], values[1]);
                    multiply_add<T>(out[i][c + 1], p[i], values[2], values[3]);
                }
            }
            if constexpr (Shape<D>::HALF_STEP) {
                constexpr int LAST = D / 8 - 1;
                u32 values[4];
                load_matrices_transposed(values, v + place<CHUNKS>(lane % 16, LAST) + 8 * j * CHUNKS * 16);
#pragma unroll
                for (int i = 0; i < TILES; i++) {
                    multiply_add<T>(out[i][LAST], p[i], values[0], values[1]);
                }
            }
        }
    }

    // The log sums of the rows that there are. There is no bias where they are asked for.
    __device__ __forceinline__ void keep(float* to, float factor, int firstRow, int rows) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float total = row_sum(sum[i][half]);
                int row = firstRow + 16 * i + 8 * half + lane / 4;
                if (lane % 4 == 0 && row < rows) {
                    to[row] = log_sum(largest[i][half], factor, total);
                }
            }
        }
    }

    // The quotients, rounded, to a tile in shared memory.
    __device__ __forceinline__ void finish(u8* tile, int firstRow) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float inverse = inverse_of(row_sum(sum[i][half]));
                int row = firstRow + 16 * i + 8 * half + lane / 4;
#pragma unroll
                for (int c = 0; c < D / 8; c++) {
                    *(u32*)(tile + place<CHUNKS>(row, c) + lane % 4 * 4) =
                            pack<T>(out[i][c][2 * half] * inverse, out[i][c][2 * half + 1] * inverse);
                }
            }
        }
    }
};
