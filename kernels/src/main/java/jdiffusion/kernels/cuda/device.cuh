// What the kernels share: storage types, conversions, asynchronous copies, tensor-core instructions, reductions.
// No header of a CUDA toolkit is included, so that NVRTC compiles every kernel from these files alone.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// Storage types, numbered as jdiffusion.kernels.cuda.TypeCode does.
enum Type : int { F32 = 0, BF16 = 1, F16 = 2, F8_E4M3 = 3, F8_E5M2 = 4, I32 = 5 };

struct bf16 {
    u16 bits;
};
struct f16 {
    u16 bits;
};

// ---- Widening and narrowing: to nearest, ties to even.

static __device__ __forceinline__ float to_float(float x) {
    return x;
}

static __device__ __forceinline__ float to_float(bf16 x) {
    return __uint_as_float((u32)x.bits << 16);
}

static __device__ __forceinline__ float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}

template <typename T> __device__ __forceinline__ T from_float(float x);

template <> __device__ __forceinline__ float from_float<float>(float x) {
    return x;
}

template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

template <> __device__ __forceinline__ f16 from_float<f16>(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

// Two neighbours in one register, the first in the low half.
template <typename T> __device__ __forceinline__ u32 pack(float low, float high);

template <> __device__ __forceinline__ u32 pack<bf16>(float low, float high) {
    u32 y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}

template <> __device__ __forceinline__ u32 pack<f16>(float low, float high) {
    u32 y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}

// Float8 without the instructions of newer cards (sm_89 on), Micikevicius et al., "FP8 formats for deep learning"
// (2022). E5M2 is the upper half of a float16; E4M3's exponent has another bias and its only NaN is S.1111.111.
static __device__ __forceinline__ float f8_e5m2_to_float(u8 x) {
    f16 y;
    y.bits = (u16)((u32)x << 8);
    return to_float(y);
}

static __device__ __forceinline__ float f8_e4m3_to_float(u8 x) {
    f16 y;
    y.bits = (u16)(((u32)(x & 0x80) << 8) | ((u32)(x & 0x7F) << 7));
    return (x & 0x7F) == 0x7F ? __uint_as_float(0x7FC00000u) : to_float(y) * 256.0f;
}

// An element of a parameter that is stored in any floating-point type.
static __device__ __forceinline__ float load_as_float(const void* p, int type, long long i) {
    switch (type) {
        case F32: return ((const float*)p)[i];
        case BF16: return to_float(((const bf16*)p)[i]);
        case F16: return to_float(((const f16*)p)[i]);
        case F8_E4M3: return f8_e4m3_to_float(((const u8*)p)[i]);
        default: return f8_e5m2_to_float(((const u8*)p)[i]);
    }
}

// An element of an activation in any of the types that activations have.
static __device__ __forceinline__ void store_as(void* p, int type, long long i, float x) {
    switch (type) {
        case F32: ((float*)p)[i] = x; break;
        case BF16: ((bf16*)p)[i] = from_float<bf16>(x); break;
        default: ((f16*)p)[i] = from_float<f16>(x); break;
    }
}

// ---- Functions that cards have an instruction for, right to the last bit or two.

// Below 2^-126 it gives zero, which changes no sum.
static __device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ float reciprocal(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// ---- Activations, numbered as jdiffusion.kernels.Activation's ordinals.

enum Activation : int { NONE = 0, SILU = 1, GELU_TANH = 2, GELU_ERF = 3, QUICK_GELU = 4, RELU = 5 };

static __device__ __forceinline__ float activate(int activation, float x) {
    switch (activation) {
        case SILU: return x / (1.0f + expf(-x));
        case GELU_TANH: {
            // x (1 + tanh(y)) / 2 with y = sqrt(2 / pi) (x + 0.044715 x^3) is x / (1 + exp(-2 y)), where nothing cancels.
            // The constants are -2 log2(e) sqrt(2 / pi), and that times 0.044715.
            float exponent = x * fmaf(x * x, -0.1029432396f, -2.302208198f);
            return x * reciprocal(1.0f + power_of_two(exponent));
        }
        case GELU_ERF: return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f));
        case QUICK_GELU: return x / (1.0f + expf(-1.702f * x));
        case RELU: return x < 0.0f ? 0.0f : x;
        default: return x;
    }
}

// ---- Reductions, in a fixed order. All lanes of the warp take part and get the result.

static __device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, step);
    }
    return x;
}

static __device__ __forceinline__ float warp_max(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
    }
    return x;
}

// ---- Shared memory, addressed as the instructions below take it.

static __device__ __forceinline__ u32 shared_address(const void* p) {
    return (u32)__cvta_generic_to_shared(p);
}

// 16 bytes from global to shared memory, past the registers and the first-level cache; zeros when not valid, and then
// the source is not read. They arrive when their group has been waited for.
static __device__ __forceinline__ void copy_async(u32 to, const void* from, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0)
                 : "memory");
}

static __device__ __forceinline__ void copy_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until at most `pending` of this thread's groups are under way.
template <int pending> __device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// ---- Tensor cores. Fragments as in the PTX manual for mma.m16n8k16.

// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
static __device__ __forceinline__ void load_matrices(u32 (&r)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

static __device__ __forceinline__ void load_matrices_transposed(u32 (&r)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

// c [16, 8] += a [16, 16] b [16, 8], sums in float32.
template <typename T>
__device__ __forceinline__ void multiply_add(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1);

template <>
__device__ __forceinline__ void multiply_add<bf16>(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ __forceinline__ void multiply_add<f16>(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
