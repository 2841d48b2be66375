#include <cuda_fp16.h>
#include <cuda_bf16.h>
#define GROUP (threadIdx.x / 4)
#define LANE (threadIdx.x % 4)
// Which elements of a group of A are kept: two of four, or of tf32 one of two.
template <typename T> __device__ unsigned kept(int row, int group) {
    return sizeof(T) == 4 ? ((row + group) % 2 ? 14 : 4) : 0xed9c84 >> (row * 5 + group * 7) % 6 * 4 & 15;
}
template <typename T, int K> struct Operands {
    static const int EACH = 4 / sizeof(T), COUNT = K / (4 * EACH), WORDS = sizeof(T) == 1 ? K / 16 : K * sizeof(T) / 32;
    unsigned a[COUNT], b[COUNT], metadata;
    __device__ Operands(const T* from_a, const T* from_b, int selector) {
#pragma unroll 1
        for (int j = 0; j < COUNT; j++) {
            T x[EACH], y[EACH];
#pragma unroll 1
            for (int i = 0; i < EACH; i++) {
                int row = GROUP + j % 2 * 8, at = j / 2 * 4 * EACH + LANE * EACH + i;
                int column = sizeof(T) == 4 ? at * 2 + (kept<T>(row, at) >> 3)
                    : at / 2 * 4 + (kept<T>(row, at / 2) >> at % 2 * 2 & 3);
                x[i] = from_a[row * K + column];
                y[i] = from_b[(j * 4 * EACH + LANE * EACH + i) * 8 + GROUP];
            }
            memcpy(&a[j], x, 4);
            memcpy(&b[j], y, 4);
        }
        int word = LANE - selector * WORDS;
        metadata = word >= 0 && word < WORDS ? 0 : 0xffffffff;
#pragma unroll 1
        for (int i = 0; i < 8 && metadata != 0xffffffff; i++) {
            int row = GROUP + (sizeof(T) == 1 ? word % 2 : i / 4) * 8;
            int group = sizeof(T) == 1 ? word / 2 * 8 + i : word * 4 + i % 4;
            metadata |= kept<T>(row, group) << i * 4;
        }
    }
};
#define SPARSE_2(NAME, T, K, TYPES, SELECTOR, SUM, IO) __global__ void NAME(const T* a, const T* b, SUM* c) { \
    Operands<T, K> o(a, b, SELECTOR); \
    SUM* d = c + GROUP * 8 + LANE * 2; \
    asm volatile("mma.sp::ordered_metadata.sync.aligned.m16n8k" #K ".row.col." TYPES " {%0,%1,%2,%3}, {%4,%5}," \
        " {%6,%7}, {%0,%1,%2,%3}, %8, " #SELECTOR ";" : IO(d[0]), IO(d[1]), IO(d[64]), IO(d[65]) \
        : "r"(o.a[0]), "r"(o.a[1]), "r"(o.b[0]), "r"(o.b[1]), "r"(o.metadata)); }
#define SPARSE_4(NAME, T, K, TYPES, SELECTOR, SUM, IO) __global__ void NAME(const T* a, const T* b, SUM* c) { \
    Operands<T, K> o(a, b, SELECTOR); \
    SUM* d = c + GROUP * 8 + LANE * 2; \
    asm volatile("mma.sp.sync.aligned.m16n8k" #K ".row.col." TYPES " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}," \
        " {%0,%1,%2,%3}, %12, " #SELECTOR ";" : IO(d[0]), IO(d[1]), IO(d[64]), IO(d[65]) : "r"(o.a[0]), "r"(o.a[1]), \
        "r"(o.a[2]), "r"(o.a[3]), "r"(o.b[0]), "r"(o.b[1]), "r"(o.b[2]), "r"(o.b[3]), "r"(o.metadata)); }
SPARSE_2(f16_k16, half, 16, "f32.f16.f16.f32", 3, float, "+f")
SPARSE_4(bf16_k32, __nv_bfloat16, 32, "f32.bf16.bf16.f32", 1, float, "+f")
SPARSE_2(tf32_k8, float, 8, "f32.tf32.tf32.f32", 2, float, "+f")
SPARSE_4(tf32_k16, float, 16, "f32.tf32.tf32.f32", 0, float, "+f")
SPARSE_2(s8_k32, signed char, 32, "satfinite.s32.s8.s8.s32", 1, int, "+r")
SPARSE_4(s8_k64, signed char, 64, "s32.s8.s8.s32", 0, int, "+r")
__global__ void f16_sums(const half* a, const half* b, unsigned* c) {
    Operands<half, 32> o(a, b, 0);
    unsigned* d = c + GROUP * 4 + LANE;
    asm volatile("mma.sp.sync.aligned.m16n8k32.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3,%4,%5}, {%6,%7,%8,%9},"
        " {%0,%1}, %10, 0;" : "+r"(d[0]), "+r"(d[32]) : "r"(o.a[0]), "r"(o.a[1]), "r"(o.a[2]), "r"(o.a[3]),
        "r"(o.b[0]), "r"(o.b[1]), "r"(o.b[2]), "r"(o.b[3]), "r"(o.metadata));
}
