/*
 * A stand-in libcublas.so.12 for tests on the emulated device, whose memory is the host's: the calls that CublasLinear
 * makes, done at once and by plain loops. What cuBLAS would refuse is refused.
 */
#include "stand_in.h"

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, OP_N = 0, OP_T = 1 };

struct handle {
    int alive;
    void *stream;
};

int cublasCreate_v2(struct handle **handle) {
    *handle = calloc(1, sizeof **handle);
    (*handle)->alive = 1;
    return SUCCESS;
}

int cublasDestroy_v2(struct handle *handle) {
    if (handle == NULL || !handle->alive) {
        return NOT_INITIALIZED;
    }
    handle->alive = 0;
    free(handle);
    return SUCCESS;
}

int cublasSetStream_v2(struct handle *handle, void *stream) {
    handle->stream = stream;
    return SUCCESS;
}

/* A float16 is a float32 whose exponent has another bias; the product by a power of two is exact, subnormals too. */
static float from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    if ((half & 0x7C00) == 0x7C00) {
        return from_bits(sign | 0x7F800000 | (uint32_t)(half & 0x3FF) << 13);
    }
    return from_bits(sign | (uint32_t)(half & 0x7FFF) << 13) * 0x1p112f;
}

static float element(const void *matrix, int type, int64_t i) {
    uint16_t bits = ((const uint16_t *)matrix)[i];
    return type == R_16BF ? from_bf16(bits) : from_half(bits);
}

/* c = alpha a^T b + beta c; columns of a and b have k elements, those of c have m. */
int cublasGemmEx(struct handle *handle, int op_a, int op_b, int m, int n, int k, const float *alpha, const void *a,
                 int a_type, int lda, const void *b, int b_type, int ldb, const float *beta, float *c, int c_type,
                 int ldc, int compute, int algorithm) {
    if (handle == NULL || !handle->alive) {
        return NOT_INITIALIZED;
    }
    if (m < 0 || n < 0 || k < 0 || lda < k || ldb < k || ldc < m) {
        return INVALID_VALUE;
    }
    if (op_a != OP_T || op_b != OP_N || a_type != b_type || (a_type != R_16F && a_type != R_16BF) || c_type != R_32F
            || compute != COMPUTE_32F || algorithm != -1) {
        return NOT_SUPPORTED;
    }
    if (wait_for(handle->stream) != 0) {
        return EXECUTION_FAILED;
    }
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++) {
            float sum = 0;
            for (int p = 0; p < k; p++) {
                sum += element(a, a_type, (int64_t)i * lda + p) * element(b, b_type, (int64_t)j * ldb + p);
            }
            float *to = c + (int64_t)j * ldc + i;
            *to = *beta == 0 ? *alpha * sum : *alpha * sum + *beta * *to;
        }
    }
    return SUCCESS;
}
