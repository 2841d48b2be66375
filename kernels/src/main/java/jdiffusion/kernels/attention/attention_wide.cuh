// Attention of one wide head, up to 512 channels (the VAE's): no mask, one stream.
//
// A block of 8 warps owns 32 queries and goes through the keys 32 at a time. For scores a warp owns a 16x8 piece of
// the 32x32 tile, with its 16 queries over all channels held in registers; for the product with V it owns 64 channels
// of all 32 queries. Between the two, the pieces' largest scores and then the powers P are exchanged through shared
// memory. K arrives while P V is computed, V while Q K^T is: one stage of each fits the 99 KiB that every card has.
#pragma once

#include "tiles.cuh"

static constexpr int WIDE_THREADS = 256;
static constexpr int WIDE_ROWS = 32;
static constexpr int WIDE_KEYS = 32;
static constexpr int WIDE_CHUNKS = 64;
static constexpr int WIDE_BYTES = WIDE_KEYS * WIDE_CHUNKS * 16;

// Q, on its way into registers, takes the place of V; out, on its way to global memory, that of K.
struct WideShared {
    u8 k[WIDE_BYTES];
    u8 v[WIDE_BYTES];
    u8 powers[WIDE_ROWS * WIDE_KEYS * 2];
    float pieces[WIDE_ROWS][4]; // of each row and piece the largest score, in the end the softmax's sum
};

// Starts copying 32 rows of a tensor of the only stream.
template <typename T>
__device__ __forceinline__ void copy_wide(const Call& call, const Pair& pair, u8* to, const void* from, int stride,
                                          int row) {
    int n = call.streams[0].keys;
    copy_tile<T, WIDE_KEYS, WIDE_CHUNKS, WIDE_THREADS>(shared_address(to),
            (const T*)from + offset(pair, n, stride, row), stride, n - row, call.headDim / 8);
    copy_commit();
}

// This warp's piece of the scores. Two sums in turn, since each product would wait for the one before it.
template <typename T>
__device__ __forceinline__ void wide_scores(const u32 (&q)[WIDE_CHUNKS / 2][4], u32 k, float (&scores)[4]) {
    int lane = threadIdx.x % 32;
    int piece = threadIdx.x / 32 % 4;
    u32 from = k + place<WIDE_CHUNKS>(8 * piece + lane % 8, lane / 8);
    float sums[2][4] = {};
#pragma unroll
    for (int step = 0; step < WIDE_CHUNKS / 2; step += 2) {
        u32 keys[4];
        load_matrices(keys, across<WIDE_CHUNKS>(from, 2 * step));
        multiply_add<T>(sums[0], q[step], keys[0], keys[1]);
        multiply_add<T>(sums[1], q[step + 1], keys[2], keys[3]);
    }
#pragma unroll
    for (int e = 0; e < 4; e++) {
        scores[e] = sums[0][e] + sums[1][e];
    }
}

// out += P V for this warp's channels.
template <typename T>
__device__ __forceinline__ void wide_gather(u32 powers, u32 v, float (&out)[2][8][4]) {
    int lane = threadIdx.x % 32;
    u32 fromP = powers + place<WIDE_KEYS / 8>(lane % 16, lane / 16);
    u32 fromV = v + place<WIDE_CHUNKS>(lane % 16, threadIdx.x / 32 * 8 + lane / 16);
#pragma unroll
    for (int step = 0; step < WIDE_KEYS / 16; step++) {
        u32 p[2][4];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            load_matrices(p[i], across<WIDE_KEYS / 8>(fromP, 2 * step) + 16 * i * WIDE_KEYS * 2);
        }
#pragma unroll
        for (int c = 0; c < 8; c += 2) {
            u32 values[4];
            load_matrices_transposed(values, across<WIDE_CHUNKS>(fromV, c) + 16 * step * WIDE_CHUNKS * 16);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                multiply_add<T>(out[i][c], p[i], values[0], values[1]);
                multiply_add<T>(out[i][c + 1], p[i], values[2], values[3]);
            }
        }
    }
}

// Combines what the four pieces of this lane's rows say; index [i][j] is row 16 i + 8 j + lane / 4.
template <typename F>
__device__ __forceinline__ void for_rows(const float (&pieces)[WIDE_ROWS][4], F&& use) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            use(i, half, *(const float4*)pieces[16 * i + 8 * half + threadIdx.x % 32 / 4]);
        }
    }
}

// Grid: x tiles of queries, y sequences times heads. Shared memory: a WideShared, dynamic.
template <typename T> __device__ __forceinline__ void attend_wide(const Call& call) {
    extern __shared__ __align__(128) u8 dynamic[];
    WideShared& shared = *(WideShared*)dynamic;
    Pair pair = pair_of_block(call);
    int lane = threadIdx.x % 32;
    int warp = threadIdx.x / 32;
    int piece = warp % 4;
    int ownTile = warp / 4;
    int n = call.streams[0].keys;
    int query = blockIdx.x * WIDE_ROWS;
    float factor = call.factor;

    copy_wide<T>(call, pair, shared.v, call.streams[0].q, call.streams[0].qStride, query);
    copy_wide<T>(call, pair, shared.k, call.streams[0].k, call.streams[0].kStride, 0);
    copy_wait<1>();
    __syncthreads();
    u32 q[WIDE_CHUNKS / 2][4];
    u32 from = shared_address(shared.v) + place<WIDE_CHUNKS>(16 * ownTile + lane % 16, lane / 16);
#pragma unroll
    for (int step = 0; step < WIDE_CHUNKS / 2; step++) {
        load_matrices(q[step], across<WIDE_CHUNKS>(from, 2 * step));
    }
    float out[2][8][4] = {};
    float largest[2][2];
    largest[0][0] = largest[0][1] = largest[1][0] = largest[1][1] = minus_infinity();
    float sum[2] = {};

    for (int key = 0; key < n; key += WIDE_KEYS) {
        copy_wait<0>();
        // K is complete; V and the powers are free.
        __syncthreads();
        copy_wide<T>(call, pair, shared.v, call.streams[0].v, call.streams[0].vStride, key);
        float scores[4];
        wide_scores<T>(q, shared_address(shared.k), scores);
#pragma unroll
        for (int e = 0; e < 4; e++) {
            bool valid = key + 8 * piece + lane % 4 * 2 + e % 2 < n;
            scores[e] = valid ? scores[e] : minus_infinity();
        }
        int row = 16 * ownTile + lane / 4;
        float upper = row_max(fmaxf(scores[0], scores[1]));
        float lower = row_max(fmaxf(scores[2], scores[3]));
        if (lane % 4 == 0) {
            shared.pieces[row][piece] = upper;
            shared.pieces[row + 8][piece] = lower;
        }
        // The largest scores are known; K is free.
        __syncthreads();
        if (key + WIDE_KEYS < n) {
            copy_wide<T>(call, pair, shared.k, call.streams[0].k, call.streams[0].kStride, key + WIDE_KEYS);
        } else {
            copy_commit();
        }
        for_rows(shared.pieces, [&](int i, int half, float4 x) {
            float most = fmaxf(largest[i][half], fmaxf(fmaxf(x.x, x.y), fmaxf(x.z, x.w)));
            float reference = reference_of(most);
            float shrink = power_of(largest[i][half], reference, factor);
            largest[i][half] = most;
#pragma unroll
            for (int c = 0; c < 8; c++) {
                out[i][c][2 * half] *= shrink;
                out[i][c][2 * half + 1] *= shrink;
            }
            if (i == ownTile) {
                float first = power_of(scores[2 * half], reference, factor);
                float second = power_of(scores[2 * half + 1], reference, factor);
                sum[half] = fmaf(sum[half], shrink, first + second);
                *(u32*)(shared.powers + place<WIDE_KEYS / 8>(row + 8 * half, piece) + lane % 4 * 4) =
                        pack<T>(first, second);
            }
        });
        copy_wait<1>();
        // V and the powers are complete.
        __syncthreads();
        wide_gather<T>(shared_address(shared.powers), shared_address(shared.v), out);
    }

    float upper = row_sum(sum[0]);
    float lower = row_sum(sum[1]);
    if (lane % 4 == 0) {
        shared.pieces[16 * ownTile + lane / 4][piece] = upper;
        shared.pieces[16 * ownTile + lane / 4 + 8][piece] = lower;
    }
    __syncthreads();
    for_rows(shared.pieces, [&](int i, int half, float4 x) {
        float total = (x.x + x.y) + (x.z + x.w);
        float inverse = inverse_of(total);
        int asked = query + 16 * i + 8 * half + lane / 4;
        if (call.logSums != nullptr && warp == 0 && lane % 4 == 0 && asked < n) {
            call.logSums[log_sum_at(call, 0, asked)] = log_sum(largest[i][half], factor, total);
        }
#pragma unroll
        for (int c = 0; c < 8; c++) {
            *(u32*)(shared.k + place<WIDE_CHUNKS>(16 * i + 8 * half + lane / 4, 8 * warp + c) + lane % 4 * 4) =
                    pack<T>(out[i][c][2 * half] * inverse, out[i][c][2 * half + 1] * inverse);
        }
    });
    __syncthreads();
    int stride = call.streams[0].outStride;
    store_tile<T, WIDE_ROWS, WIDE_CHUNKS, WIDE_THREADS>(shared.k,
            (T*)call.streams[0].out + offset(pair, n, stride, query), stride, n - query, call.headDim / 8);
}

extern "C" __global__ void __launch_bounds__(WIDE_THREADS, 1) attention_wide_bf16(Call call) {
    attend_wide<bf16>(call);
}

extern "C" __global__ void __launch_bounds__(WIDE_THREADS, 1) attention_wide_f16(Call call) {
    attend_wide<f16>(call);
}
