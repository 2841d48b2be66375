// What a warpgroup of attention_sm90.cu does with its queries: products with tiles of K and V, and the softmax between.
#pragma once
#include "sm90.cuh"
#include "tiles.cuh"

// Of D channels. GROUPS: warpgroups with queries, as many as have the registers for their sums and powers. KEYS: of a
// tile, fewer where a thread has many sums.
template <int D> struct Shape {
    static constexpr int GROUPS = D <= 72 ? 3 : 2;
    static constexpr int KEYS = D <= 128 ? 128 : 80;
    static constexpr int STAGES = D == 64 ? 4 : D == 128 ? 3 : 2;
    static constexpr int ROWS = 64 * GROUPS;
    static constexpr int THREADS = (GROUPS + 1) * WARPGROUP;
    static constexpr int PARTS = (D + 63) / 64;  // tiles of 64 channels
    static constexpr int STEPS = (D + 15) / 16;
    static constexpr int ROWS_BYTES = ROWS * SWIZZLED_ROW, KEYS_BYTES = KEYS * SWIZZLED_ROW;  // of 64 channels
    static constexpr int Q_BYTES = PARTS * ROWS_BYTES, TILE_BYTES = PARTS * KEYS_BYTES;
    // Of a thread, for 65536 in all.
    static constexpr int PRODUCER_REGISTERS = GROUPS == 3 ? 32 : 40, CONSUMER_REGISTERS = GROUPS == 3 ? 160 : 232;
};

// A warpgroup's 64 queries. Of a thread: two rows, lane / 4 of its warp's 16 and 8 further; of those, columns of out
// and of scores as mma.m16n8k16 has its sums.
template <typename T, int D> struct Queries {
    static constexpr int KEYS = Shape<D>::KEYS, KEYS_BYTES = Shape<D>::KEYS_BYTES;

    float out[D / 2];
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
        for (int step = 0; step < Shape<D>::STEPS; step++) {
            u64 along = step % 4 * NEXT_32_BYTES;
            multiply<T, KEYS>(scores, a + along + step / 4 * (Shape<D>::ROWS_BYTES >> 4),
                              b + along + step / 4 * (KEYS_BYTES >> 4), step > 0);
        }
        products_commit();
    }

    // Begins out += P V.
    __device__ __forceinline__ void gather(u32 v) {
        u64 b = operand_of(v, KEYS_BYTES);
        hold(out);
        hold(powers);
        products_begin();
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++) {
            multiply_rows<T, D>(out, powers[step], b + step * NEXT_16_ROWS);
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
        for (int i = 0; i < D / 2; i++) {
            out[i] = 0.0f;
        }
    }

    __device__ __forceinline__ void shrink_out(const float (&shrink)[2]) {
#pragma unroll
        for (int i = 0; i < D / 2; i++) {
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
            for (int c = 0; c < D / 8; c++) {
                *(u32*)(staged + c / 8 * Shape<D>::ROWS_BYTES + place<8>(lane / 4 + 8 * half, c % 8) + lane % 4 * 4) =
                        pack<T>(out[4 * c + 2 * half] * inverse, out[4 * c + 2 * half + 1] * inverse);
            }
        }
        __syncwarp();
#pragma unroll
        for (int part = 0; part < Shape<D>::PARTS; part++) {
            constexpr int LAST = D / 8 - (Shape<D>::PARTS - 1) * 8;
            int pieces = part < Shape<D>::PARTS - 1 ? 8 : LAST;  // of a row
#pragma unroll
            for (int i = lane; i < 16 * pieces; i += 32) {
                int row = i / pieces;
                if (row < rows) {
                    *(uint4*)(to + (long long)row * stride + part * 64 + i % pieces * 8) =
                            *(const uint4*)(staged + part * Shape<D>::ROWS_BYTES + place<8>(row, i % pieces));
                }
            }
        }
    }
};
