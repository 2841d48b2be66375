#include <cuda_fp16.h>
// Both factors lie row by row in shared memory, chunks of 8 halves at places changed by XOR, as CUTLASS swizzles them.
__device__ int place(int row, int column) {
    return row * 64 + ((column / 8 ^ row % 8) * 8) + column % 8;
}
__device__ unsigned address(const half* at) {
    return (unsigned) __cvta_generic_to_shared(at);
}
__global__ void ldmatrix_trans(const half* a, const half* b, float* c) {
    __shared__ half ta[64 * 64], tb[64 * 64];
    for (int i = threadIdx.x; i < 64 * 8; i += blockDim.x) {
        *(int4*) &ta[place(i / 8, i % 8 * 8)] = ((const int4*) a)[i];
        *(int4*) &tb[place(i / 8, i % 8 * 8)] = ((const int4*) b)[i];
    }
    __syncthreads();
    int lane = threadIdx.x % 32, m = threadIdx.x / 32 * 16;
#pragma unroll 1
    for (int n = 0; n < 64; n += 16) {
        float d[2][4] = {};
#pragma unroll 1
        for (int k = 0; k < 64; k += 16) {
            unsigned x[4], y[4];
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                : "r"(address(&ta[place(m + lane % 16, k + lane / 16 * 8)])));
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                : "=r"(y[0]), "=r"(y[1]), "=r"(y[2]), "=r"(y[3])
                : "r"(address(&tb[place(k + lane % 16, n + lane / 16 * 8)])));
            for (int j = 0; j < 2; j++) {
                asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7},"
                    " {%8, %9}, {%0, %1, %2, %3};" : "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
                    : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[2 * j]), "r"(y[2 * j + 1]));
            }
        }
        for (int j = 0; j < 2; j++) {
            float* to = c + (m + lane / 4) * 64 + n + 8 * j + lane % 4 * 2;
            *(float2*) to = make_float2(d[j][0], d[j][1]);
            *(float2*) (to + 8 * 64) = make_float2(d[j][2], d[j][3]);
        }
    }
}
