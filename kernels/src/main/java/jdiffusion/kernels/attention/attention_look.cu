// What is kept of an attention's probabilities exp(score - log sum), where the attention has left its log sums: the
// probabilities of chosen keys, the mass that each key receives, the entropy of each query. Scores are computed once
// more from the same q and k, rounded as attention.cu rounds them.
//
// A warp has one row (a query, or for the mass a key), a lane each of 32 rows of the other side, which the block's four
// warps share. Each sum is one warp's, in an order of its own, so it is the same whatever else runs.
#include "tiles.cuh"

static constexpr int LOOK_WARPS = 4;
static constexpr int COLUMNS = 0;
static constexpr int MASS = 1;
static constexpr int ENTROPY = 2;

// As CudaAttentionLook packs it: `keys` are those of attention_columns, `count` of them; `result` is what is written.
struct Look {
    Call call;
    const int* keys;
    int count;
    float* result;
};

// A row of q or k in float32, by one warp.
template <typename T> __device__ __forceinline__ void look_row(const Look& look, const T* from, float* to) {
#pragma unroll 1
    for (int c = threadIdx.x % 32; c < look.call.headDim; c += 32) {
        to[c] = to_float(from[c]);
    }
}

// A query, counted through all streams.
template <typename T>
__device__ __forceinline__ void look_query(const Look& look, const Pair& pair, int query, float* to) {
    const Call& call = look.call;
    int asking = locate(query, call.streams[0].queries, call.streams[1].queries, 1);
    int stride = OF_STREAM(call, asking, qStride);
    look_row<T>(look, (const T*)OF_STREAM(call, asking, q)
            + offset(pair, OF_STREAM(call, asking, queries), stride, query), to);
}

// Whether a key, counted through all streams, is there; then it is read.
template <typename T>
__device__ __forceinline__ bool look_key(const Look& look, const Pair& pair, int key, float* to) {
    const Call& call = look.call;
    int all = call.streams[0].keys + call.streams[1].keys + call.streams[2].keys;
    if (key < 0 || key >= all) {
        return false;
    }
    Keys present = keys_of(call, pair.sequence);
    int stream = locate(key, call.streams[0].keys, call.streams[1].keys, 1);
    if (key >= pick(stream, present.first, present.second, present.third)) {
        return false;
    }
    int stride = OF_STREAM(call, stream, kStride);
    look_row<T>(look, (const T*)OF_STREAM(call, stream, k)
            + offset(pair, OF_STREAM(call, stream, keys), stride, key), to);
    return true;
}

// Grid: x groups of 4 rows, y sequences times heads. Shared memory, dynamic: the warps' rows, then 32 rows of the other
// side, an odd number of floats apart, which keeps banks apart.
template <typename T, int WHAT> __device__ __forceinline__ void look_at(const Look& look) {
    extern __shared__ __align__(128) u8 dynamic[];
    __shared__ int there[32];
    const Call& call = look.call;
    Pair pair = pair_of_block(call);
    int lane = threadIdx.x % 32;
    int warp = threadIdx.x / 32;
    int d = call.headDim;
    int apart = d | 1;
    int keys = call.streams[0].keys + call.streams[1].keys + call.streams[2].keys;
    int rows = WHAT == MASS ? keys : call.queries;
    int others = WHAT == MASS ? call.queries : WHAT == ENTROPY ? keys : look.count;
    float* own = (float*)dynamic + warp * d;
    float* tile = (float*)dynamic + LOOK_WARPS * d;
    int row = blockIdx.x * LOOK_WARPS + warp;
    bool active = row < rows;
    if (active && WHAT == MASS) {
        active = look_key<T>(look, pair, row, own);
    } else if (active) {
        look_query<T>(look, pair, row, own);
    }
    const float* logSums = call.logSums + (long long)blockIdx.y * call.queries;
    float sum = 0;
#pragma unroll 1
    for (int first = 0; first < others; first += 32) {
        __syncthreads();
#pragma unroll 1
        for (int i = warp; i < 32 && first + i < others; i += LOOK_WARPS) {
            int other = first + i;
            bool exists = true;
            if (WHAT == MASS) {
                look_query<T>(look, pair, other, tile + i * apart);
            } else {
                exists = look_key<T>(look, pair, WHAT == COLUMNS ? look.keys[other] : other, tile + i * apart);
            }
            if (lane == 0) {
                there[i] = exists;
            }
        }
        __syncthreads();
        int other = first + lane;
        if (active && other < others) {
            float p = 0;
            float logSum = logSums[WHAT == MASS ? other : row];
            float score = 0;
            if (there[lane]) {
#pragma unroll 1
                for (int c = 0; c < d; c++) {
                    score = fmaf(own[c], tile[lane * apart + c], score);
                }
                score = fmaf(score, call.factor, -logSum * LOG2E);
                p = power_of_two(score);
            }
            if (WHAT == COLUMNS) {
                look.result[((long long)blockIdx.y * look.count + other) * call.queries + row] = p;
            } else {
                sum += WHAT == MASS ? p : -p * score * 0.69314718056f;
            }
        }
    }
    if (WHAT != COLUMNS && row < rows) {
        sum = warp_sum(sum);
        if (lane == 0) {
            look.result[(long long)blockIdx.y * rows + row] = sum;
        }
    }
}

extern "C" __global__ void __launch_bounds__(32 * LOOK_WARPS, 1) attention_columns_bf16(Look look) {
    look_at<bf16, COLUMNS>(look);
}

extern "C" __global__ void __launch_bounds__(32 * LOOK_WARPS, 1) attention_columns_f16(Look look) {
    look_at<f16, COLUMNS>(look);
}

extern "C" __global__ void __launch_bounds__(32 * LOOK_WARPS, 1) attention_mass_bf16(Look look) {
    look_at<bf16, MASS>(look);
}

extern "C" __global__ void __launch_bounds__(32 * LOOK_WARPS, 1) attention_mass_f16(Look look) {
    look_at<f16, MASS>(look);
}

extern "C" __global__ void __launch_bounds__(32 * LOOK_WARPS, 1) attention_entropy_bf16(Look look) {
    look_at<bf16, ENTROPY>(look);
}

extern "C" __global__ void __launch_bounds__(32 * LOOK_WARPS, 1) attention_entropy_f16(Look look) {
    look_at<f16, ENTROPY>(look);
}
