// Tensors as rows, read and written in runs of W neighbours: W = 4 where every address allows it (16 bytes of float32,
// 8 of a 16-bit type), else 1. Storage types are looked up at run time unless they are a template's parameter: they are
// the same for all threads, and memory sets the pace.
#pragma once
#include "device.cuh"

// A tensor as Java passes it: first element, storage type, elements from row to row. No data means that it is absent.
struct Rows {
    void* data;
    int type;
    int stride;

    __device__ __forceinline__ long long at(long long row, long long col) const {
        return row * stride + col;
    }
};

template <int W> struct Run {
    float v[W];
};

// ---- Runs of a known type.

template <int W> __device__ __forceinline__ Run<W> load_run(const float* p) {
    if constexpr (W == 4) {
        float4 q = *(const float4*)p;
        return {q.x, q.y, q.z, q.w};
    } else {
        return {*p};
    }
}

// T is bf16 or f16.
template <int W, typename T> __device__ __forceinline__ Run<W> load_run(const T* p) {
    if constexpr (W == 4) {
        uint2 q = *(const uint2*)p;
        T a{(u16)q.x}, b{(u16)(q.x >> 16)}, c{(u16)q.y}, d{(u16)(q.y >> 16)};
        return {to_float(a), to_float(b), to_float(c), to_float(d)};
    } else {
        return {to_float(*p)};
    }
}

template <int W> __device__ __forceinline__ void store_run(float* p, const Run<W>& x) {
    if constexpr (W == 4) {
        *(float4*)p = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
    } else {
        *p = x.v[0];
    }
}

template <int W, typename T> __device__ __forceinline__ void store_run(T* p, const Run<W>& x) {
    if constexpr (W == 4) {
        *(uint2*)p = make_uint2(pack<T>(x.v[0], x.v[1]), pack<T>(x.v[2], x.v[3]));
    } else {
        *p = from_float<T>(x.v[0]);
    }
}

// ---- Runs of a tensor.

// Of an activation: float32, bfloat16 or float16.
template <int W> __device__ __forceinline__ Run<W> load(const Rows& t, long long row, long long col) {
    long long i = t.at(row, col);
    if (t.type == F32) {
        return load_run<W>((const float*)t.data + i);
    }
    if (t.type == BF16) {
        return load_run<W>((const bf16*)t.data + i);
    }
    return load_run<W>((const f16*)t.data + i);
}

// Of a parameter in any floating-point type.
template <int W> __device__ __forceinline__ Run<W> load_any(const Rows& t, long long row, long long col) {
    if (t.type <= F16) {
        return load<W>(t, row, col);
    }
    Run<W> y;
    u32 bytes;
    if constexpr (W == 4) {
        bytes = *(const u32*)((const u8*)t.data + t.at(row, col));
    } else {
        bytes = ((const u8*)t.data)[t.at(row, col)];
    }
#pragma unroll
    for (int i = 0; i < W; i++) {
        u8 x = (u8)(bytes >> (8 * i));
        y.v[i] = t.type == F8_E4M3 ? f8_e4m3_to_float(x) : f8_e5m2_to_float(x);
    }
    return y;
}

// Of a vector of parameters, or what stands for it when there is none.
template <int W> __device__ __forceinline__ Run<W> parameter(const Rows& t, int col, float absent) {
    if (t.data) {
        return load_any<W>(t, 0, col);
    }
    Run<W> y;
#pragma unroll
    for (int i = 0; i < W; i++) {
        y.v[i] = absent;
    }
    return y;
}

template <int W> __device__ __forceinline__ void store(const Rows& t, long long row, long long col, const Run<W>& x) {
    long long i = t.at(row, col);
    if (t.type == F32) {
        store_run<W>((float*)t.data + i, x);
    } else if (t.type == BF16) {
        store_run<W>((bf16*)t.data + i, x);
    } else {
        store_run<W>((f16*)t.data + i, x);
    }
}

// Calls body(row, col) for the first element of every run of [rows, cols], cols a multiple of W: blocks of x take runs
// of a row, blocks of y rows.
template <int W, typename Body> __device__ __forceinline__ void for_each_run(int rows, long long cols, Body body) {
    long long first = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
    long long step = (long long)gridDim.x * blockDim.x * W;
    for (int row = blockIdx.y; row < rows; row += gridDim.y) {
        for (long long col = first; col < cols; col += step) {
            body(row, col);
        }
    }
}

// ---- A row of activations for one warp, in shared memory as float32. A lane meets there only what it has put there
// itself, in runs of W from 32 W to 32 W, so that no barrier is needed.

// Calls body(i) for the first element of each of this lane's runs.
template <int W, typename Body> __device__ __forceinline__ void for_each_of_lane(int cols, Body body) {
    for (int i = threadIdx.x % 32 * W; i < cols; i += 32 * W) {
        body(i);
    }
}

// The compiler takes an address that moves on in a loop for less aligned than it is, and would store a run in pieces, with
// bank conflicts.
template <int W> __device__ __forceinline__ void store_staged(float* to, const Run<W>& x) {
    if constexpr (W == 4) {
        asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(to)), "f"(x.v[0]), "f"(x.v[1]),
                     "f"(x.v[2]), "f"(x.v[3]) : "memory");
    } else {
        *to = x.v[0];
    }
}

template <int W, typename T, typename Each>
__device__ __forceinline__ void stage_typed(const Rows& x, int row, int cols, float* staged, Each each) {
    const T* p = (const T*)x.data + x.at(row, 0);
#pragma unroll 4
    for (int i = threadIdx.x % 32 * W; i < cols; i += 32 * W) {
        Run<W> v = load_run<W>(p + i);
        store_staged<W>(staged + i, v);
#pragma unroll
        for (int j = 0; j < W; j++) {
            each(v.v[j]);
        }
    }
}

// Reads a row, calling each(v) for every value of this lane. Typed, so that several loads are under way at a time.
template <int W, typename Each>
__device__ __forceinline__ void stage(const Rows& x, int row, int cols, float* staged, Each each) {
    if (x.type == F32) {
        stage_typed<W, float>(x, row, cols, staged, each);
    } else if (x.type == BF16) {
        stage_typed<W, bf16>(x, row, cols, staged, each);
    } else {
        stage_typed<W, f16>(x, row, cols, staged, each);
    }
}

// Where a warp of the block keeps its row: cols rounded up to 16 bytes for each.
static __device__ __forceinline__ float* staged_row(int cols) {
    extern __shared__ float4 rows_of_block[];
    return (float*)rows_of_block + threadIdx.x / 32 * ((cols + 3) / 4 * 4);
}

// The row of this warp.
static __device__ __forceinline__ int row_of_warp() {
    return blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
}
