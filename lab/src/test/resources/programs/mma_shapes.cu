// Each lane takes what the fragments' layout says: of A rows lane / 4 and the 8th after it, of B column lane / 4.
#define GROUP (threadIdx.x / 4)
#define LANE (threadIdx.x % 4)
template <int ROWS, int K> __device__ void doubles(const double* a, const double* b, double* c) {
    double x[K * ROWS / 32], y[K / 4], d[ROWS / 4];
    for (int i = 0; i < K * ROWS / 32; i++) {
        x[i] = a[(GROUP + i % (ROWS / 8) * 8) * K + i / (ROWS / 8) * 4 + LANE];
    }
    for (int i = 0; i < K / 4; i++) {
        y[i] = b[(i * 4 + LANE) * 8 + GROUP];
    }
    double* to = c + GROUP * 8 + LANE * 2;
    for (int i = 0; i < ROWS / 4; i++) {
        d[i] = to[i / 2 * 64 + i % 2];
    }
    if constexpr (ROWS == 8) {
        asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
            : "+d"(d[0]), "+d"(d[1]) : "d"(x[0]), "d"(y[0]));
    } else if constexpr (K == 4) {
        asm volatile("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+d"(d[0]), "+d"(d[1]), "+d"(d[2]), "+d"(d[3]) : "d"(x[0]), "d"(x[1]), "d"(y[0]));
    } else if constexpr (K == 8) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9},"
            " {%0,%1,%2,%3};" : "+d"(d[0]), "+d"(d[1]), "+d"(d[2]), "+d"(d[3])
            : "d"(x[0]), "d"(x[1]), "d"(x[2]), "d"(x[3]), "d"(y[0]), "d"(y[1]));
    } else {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5,%6,%7,%8,%9,%10,%11},"
            " {%12,%13,%14,%15}, {%0,%1,%2,%3};" : "+d"(d[0]), "+d"(d[1]), "+d"(d[2]), "+d"(d[3])
            : "d"(x[0]), "d"(x[1]), "d"(x[2]), "d"(x[3]), "d"(x[4]), "d"(x[5]), "d"(x[6]), "d"(x[7]),
            "d"(y[0]), "d"(y[1]), "d"(y[2]), "d"(y[3]));
    }
    for (int i = 0; i < ROWS / 4; i++) {
        to[i / 2 * 64 + i % 2] = d[i];
    }
}
#define DOUBLES(R, K) __global__ void f64_m##R##k##K(const double* a, const double* b, double* c) { doubles<R, K>(a, b, c); }
DOUBLES(8, 4) DOUBLES(16, 4) DOUBLES(16, 8) DOUBLES(16, 16)
// Smaller integers: rows of A and columns of B are words, of which a lane takes every fourth, with all bits stirred.
#define STIRRED(x) ((x) * 0x9e3779b1u)
#define WORDS_8(NAME, OP) __global__ void NAME(const unsigned* a, const unsigned* b, int* c) { \
    int* to = c + GROUP * 8 + LANE * 2; \
    asm volatile("mma.sync.aligned." OP " {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(to[0]), "+r"(to[1]) \
        : "r"(STIRRED(a[GROUP * 4 + LANE])), "r"(STIRRED(b[GROUP * 4 + LANE]))); }
#define WORDS_16(NAME, OP) __global__ void NAME(const unsigned* a, const unsigned* b, int* c) { \
    int* to = c + GROUP * 8 + LANE * 2; \
    const unsigned* from = a + GROUP * 8 + LANE; \
    asm volatile("mma.sync.aligned." OP " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
        : "+r"(to[0]), "+r"(to[1]), "+r"(to[64]), "+r"(to[65]) : "r"(STIRRED(from[0])), \
        "r"(STIRRED(from[64])), "r"(STIRRED(from[4])), "r"(STIRRED(from[68])), \
        "r"(STIRRED(b[GROUP * 8 + LANE])), "r"(STIRRED(b[GROUP * 8 + LANE + 4]))); }
WORDS_8(s4_k32, "m8n8k32.row.col.s32.s4.s4.s32")
WORDS_16(u4_k64, "m16n8k64.row.col.satfinite.s32.u4.s4.s32")
WORDS_8(xor_k128, "m8n8k128.row.col.s32.b1.b1.s32.xor.popc")
WORDS_16(and_k256, "m16n8k256.row.col.s32.b1.b1.s32.and.popc")
WORDS_8(s8_k16, "m8n8k16.row.col.s32.s8.u8.s32")
