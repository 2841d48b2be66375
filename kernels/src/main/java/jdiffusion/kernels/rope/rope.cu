// What queries and keys get before attention, in place: a norm over the channels of each head, then rotary position
// embedding (Su et al., "RoFormer", 2021), which turns neighbouring channels as pairs by the token's angles.
//
// In one pass over q and k of all streams, computed in float32 and rounded once. On load, attention would have to do the
// same to its keys again for each block of queries.
#include "rows.cuh"

// One of two tensors of a stream, or null: [batch, tokens, heads * headDim], rows `stride` elements apart. `norm` has
// the weights of the RMS norm, of the type beside it, or is null.
struct Heads {
    void* x;
    const void* norm;
    int stride;
    int normType;
};

// `rotary` is [tokens, headDim], for each pair cos and sin, rows `rotaryStride` apart, or null.
struct Stream {
    Heads q;
    Heads k;
    const float* rotary;
    int rotaryStride;
    int rows; // sequences times tokens
    int tokens;
};

// The arguments, in the order of CudaRope. `lanes` is how many threads share a head in the kernels for runs.
struct Rope {
    Stream streams[3];
    int heads;
    int headDim;
    int layer; // whether heads get a LayerNorm without weights instead of an RMS norm
    int lanes;
    float eps;
    float share; // 1 / headDim
};

// What a block works on, chosen without indexing the arguments, which would copy them to local memory. Grid: y q and k,
// z streams.
struct Part {
    Heads heads;
    const float* rotary;
    int rotaryStride;
    int rows;
    int tokens;
};

static __device__ __forceinline__ Part part_of(const Stream& stream) {
    return {blockIdx.y == 0 ? stream.q : stream.k, stream.rotary, stream.rotaryStride, stream.rows, stream.tokens};
}

static __device__ __forceinline__ Part part_of_block(const Rope& k) {
    return blockIdx.z == 0 ? part_of(k.streams[0]) : blockIdx.z == 1 ? part_of(k.streams[1]) : part_of(k.streams[2]);
}

// A head's sum; `lanes` threads that follow each other have a part of it each.
static __device__ __forceinline__ float sum_of(float x, int lanes) {
    for (int step = 1; step < lanes; step *= 2) {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, step);
    }
    return x;
}

static __device__ __forceinline__ void turn(float& even, float& odd, float cos, float sin) {
    float before = even;
    even = fmaf(even, cos, -(odd * sin));
    odd = fmaf(odd, cos, before * sin);
}

template <typename T> __device__ __forceinline__ float widened(u32 pair, int half) {
    return to_float(T{(u16)(half == 0 ? pair : pair >> 16)});
}

// Heads of up to 256 channels, a multiple of 8, in rows and with weights that are aligned to 16 bytes: a thread has 8
// channels.
template <typename T> __device__ __forceinline__ void rope_runs(const Rope& k) {
    Part part = part_of_block(k);
    int item = blockIdx.x * (blockDim.x / k.lanes) + threadIdx.x / k.lanes;
    int channel = threadIdx.x % k.lanes * 8;
    int row = item / k.heads;
    if (part.heads.x == nullptr || blockIdx.x * (blockDim.x / k.lanes) >= part.rows * k.heads) {
        return;
    }
    bool valid = row < part.rows && channel < k.headDim;
    uint4* at = (uint4*)((T*)part.heads.x + (long long)row * part.heads.stride + item % k.heads * k.headDim + channel);
    uint4 packed = valid ? *at : uint4{0, 0, 0, 0};
    u32 pairs[4] = {packed.x, packed.y, packed.z, packed.w};
    float x[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
        x[i] = widened<T>(pairs[i / 2], i % 2);
    }
    if (k.layer) {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            sum += x[i];
        }
        float mean = sum_of(sum, k.lanes) * k.share;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            x[i] = valid ? x[i] - mean : 0;
        }
    }
    if (k.layer || part.heads.norm != nullptr) {
        float squares = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            squares = fmaf(x[i], x[i], squares);
        }
        float scale = rsqrtf(fmaf(sum_of(squares, k.lanes), k.share, k.eps));
#pragma unroll
        for (int i = 0; i < 8; i++) {
            x[i] *= scale;
        }
    }
    if (!valid) {
        return;
    }
    if (part.heads.norm != nullptr) {
        Rows weights = {(void*)part.heads.norm, part.heads.normType, 0};
        Run<4> first = load_any<4>(weights, 0, channel);
        Run<4> second = load_any<4>(weights, 0, channel + 4);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            x[i] *= i < 4 ? first.v[i] : second.v[i - 4];
        }
    }
    if (part.rotary != nullptr) {
        const float4* angles =
                (const float4*)(part.rotary + (long long)(row % part.tokens) * part.rotaryStride + channel);
        float4 first = angles[0];
        float4 second = angles[1];
        turn(x[0], x[1], first.x, first.y);
        turn(x[2], x[3], first.z, first.w);
        turn(x[4], x[5], second.x, second.y);
        turn(x[6], x[7], second.z, second.w);
    }
    *at = uint4{pack<T>(x[0], x[1]), pack<T>(x[2], x[3]), pack<T>(x[4], x[5]), pack<T>(x[6], x[7])};
}

// Any heads: a warp has one, a lane two neighbouring channels at a time, which it reads anew for each step.
template <typename T> __device__ __forceinline__ void rope_elements(const Rope& k) {
    Part part = part_of_block(k);
    int item = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int row = item / k.heads;
    if (part.heads.x == nullptr || row >= part.rows) {
        return;
    }
    T* x = (T*)part.heads.x + (long long)row * part.heads.stride + item % k.heads * k.headDim;
    int first = threadIdx.x % 32 * 2;
    float mean = 0;
    if (k.layer) {
        float sum = 0;
#pragma unroll 1
        for (int c = first; c < k.headDim; c += 64) {
            sum += to_float(x[c]) + (c + 1 < k.headDim ? to_float(x[c + 1]) : 0);
        }
        mean = warp_sum(sum) * k.share;
    }
    float scale = 1;
    if (k.layer || part.heads.norm != nullptr) {
        float squares = 0;
#pragma unroll 1
        for (int c = first; c < k.headDim; c += 64) {
            float even = to_float(x[c]) - mean;
            float odd = c + 1 < k.headDim ? to_float(x[c + 1]) - mean : 0;
            squares = fmaf(even, even, fmaf(odd, odd, squares));
        }
        scale = rsqrtf(fmaf(warp_sum(squares), k.share, k.eps));
    }
#pragma unroll 1
    for (int c = first; c < k.headDim; c += 64) {
        bool two = c + 1 < k.headDim;
        float even = (to_float(x[c]) - mean) * scale;
        float odd = two ? (to_float(x[c + 1]) - mean) * scale : 0;
        if (part.heads.norm != nullptr) {
            even *= load_as_float(part.heads.norm, part.heads.normType, c);
            odd *= two ? load_as_float(part.heads.norm, part.heads.normType, c + 1) : 0;
        }
        if (part.rotary != nullptr) {
            const float* angles = part.rotary + (long long)(row % part.tokens) * part.rotaryStride + c;
            turn(even, odd, angles[0], angles[1]);
        }
        x[c] = from_float<T>(even);
        if (two) {
            x[c + 1] = from_float<T>(odd);
        }
    }
}

extern "C" __global__ void __launch_bounds__(128) rope_runs_bf16(Rope k) {
    rope_runs<bf16>(k);
}

extern "C" __global__ void __launch_bounds__(128) rope_runs_f16(Rope k) {
    rope_runs<f16>(k);
}

extern "C" __global__ void __launch_bounds__(128) rope_elements_bf16(Rope k) {
    rope_elements<bf16>(k);
}

extern "C" __global__ void __launch_bounds__(128) rope_elements_f16(Rope k) {
    rope_elements<f16>(k);
}
