// Attention for what the other kernels do not take: head sizes that are no multiple of 8, rows that are not aligned
// to 16 bytes, heads of more than 256 channels with a mask. Correct, not fast: a warp for each query, a lane for each key.
#pragma once

#include "tiles.cuh"

static constexpr int PLAIN_WARPS = 4;

// A warp's part of shared memory, 2 * headDim + 32 floats: its query, its output's sums, powers.
struct Plain {
    float* q;
    float* out;
    float* powers;
};

// The scaled score of a key, in powers of two.
template <typename T>
__device__ __forceinline__ float plain_score(const Call& call, const Pair& pair, const Plain& warp, int stream,
                                             int query, int key) {
    int n = OF_STREAM(call, stream, keys);
    const T* k = (const T*)OF_STREAM(call, stream, k) + offset(pair, n, OF_STREAM(call, stream, kStride), key);
    float score = 0;
#pragma unroll 1
    for (int c = 0; c < call.headDim; c++) {
        score = fmaf(warp.q[c], to_float(k[c]), score);
    }
    score *= call.factor;
    if (call.bias != nullptr) {
        long long diagonal = (long long)pair.head * (2 * n - 1) + key - query + n - 1;
        score = fmaf(load_as_float(call.bias, call.biasType, diagonal), LOG2E, score);
    }
    return score;
}

// Grid: x groups of 4 queries through all asking streams, each a warp's; y sequences times heads. Shared memory: that
// of the warps, dynamic.
template <typename T> __device__ __forceinline__ void attend_plain(const Call& call) {
    extern __shared__ __align__(128) u8 dynamic[];
    Pair pair = pair_of_block(call);
    int lane = threadIdx.x % 32;
    int d = call.headDim;
    float* own = (float*)dynamic + threadIdx.x / 32 * (2 * d + 32);
    Plain warp = {own, own + d, own + 2 * d};
    int query = blockIdx.x * PLAIN_WARPS + threadIdx.x / 32;
    int asking = locate(query, call.streams[0].queries, call.streams[1].queries, 1);
    int n = OF_STREAM(call, asking, queries);
    if (query >= n) {
        return;
    }
    const T* asked = (const T*)OF_STREAM(call, asking, q) + offset(pair, n, OF_STREAM(call, asking, qStride), query);
#pragma unroll 1
    for (int c = lane; c < d; c += 32) {
        warp.q[c] = to_float(asked[c]);
        warp.out[c] = 0;
    }
    __syncwarp();

    Keys keys = keys_of(call, pair.sequence);
    float largest = minus_infinity();
    float sum = 0;
#pragma unroll 1
    for (int s = 0; s < 3; s++) {
        int present = pick(s, keys.first, keys.second, keys.third);
        int end = call.causal ? min(query + 1, present) : present;
        int stride = OF_STREAM(call, s, vStride);
        const T* v = (const T*)OF_STREAM(call, s, v) + offset(pair, OF_STREAM(call, s, keys), stride, 0);
#pragma unroll 1
        for (int key = 0; key < end; key += 32) {
            float score = plain_score<T>(call, pair, warp, s, query, min(key + lane, end - 1));
            score = key + lane < end ? score : minus_infinity();
            float most = fmaxf(largest, warp_max(score));
            float reference = reference_of(most);
            float shrink = power_of(largest, reference, 1);
            float power = power_of(score, reference, 1);
            largest = most;
            sum = fmaf(sum, shrink, power);
            warp.powers[lane] = to_float(from_float<T>(power));
            __syncwarp();
#pragma unroll 1
            for (int c = lane; c < d; c += 32) {
                float total = warp.out[c] * shrink;
#pragma unroll 1
                for (int j = 0; j < min(32, end - key); j++) {
                    total = fmaf(warp.powers[j], to_float(v[(long long)(key + j) * stride + c]), total);
                }
                warp.out[c] = total;
            }
            __syncwarp();
        }
    }
    float total = warp_sum(sum);
    float inverse = inverse_of(total);
    if (call.logSums != nullptr && lane == 0) {
        // Scores are scaled already.
        call.logSums[log_sum_at(call, asking, query)] = log_sum(largest, 1, total);
    }
    T* to = (T*)OF_STREAM(call, asking, out) + offset(pair, n, OF_STREAM(call, asking, outStride), query);
#pragma unroll 1
    for (int c = lane; c < d; c += 32) {
        to[c] = from_float<T>(warp.out[c] * inverse);
    }
}

extern "C" __global__ void __launch_bounds__(32 * PLAIN_WARPS, 1) attention_plain_bf16(Call call) {
    attend_plain<bf16>(call);
}

extern "C" __global__ void __launch_bounds__(32 * PLAIN_WARPS, 1) attention_plain_f16(Call call) {
    attend_plain<f16>(call);
}
