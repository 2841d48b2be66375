// Linear layers whose weights are float8, on tensor cores that multiply float8: out = epilogue(s (x' w'^T) + bias), where
// w = scale w' as the checkpoint has it and row r of x is about scales[r] x'[r], rounded to e4m3 by quantise_rows.
// Micikevicius et al., "FP8 Formats for Deep Learning" (2022); a scale for each token: Yao et al., "ZeroQuant" (2022).
// Names: linear_fp8_<type of w>[_any]_<tile>; any takes rows of w of every length and alignment, and adds a side product.
// Cards of compute capability 8.9 and 12.0 multiply float8. For those of 9.0 and 10.0, whose tensor cores take it by other
// instructions, the driver's compiler converts it to float16 before each mma: right, but no faster than 16 bits, and with
// so many registers that only any's kernels fit. On 9.0 linear_fp8_sm90.cu takes the place of the others.
//
// Everything lies in shared memory as in the products of 16 bits (tiles.cuh): a row of a stage is 64 bytes, which are 64
// of k instead of 32. Fragments of mma.m16n8k32 hold bytes where those of m16n8k16 hold pairs of bytes, so ldmatrix, the
// swizzle and the ring are the same, and k and strides count in pairs. A byte that is loaded serves twice the products.
#pragma once
#include "gemm.cuh"

// What the products are of: e4m3 by e4m3, and e4m3 by e5m2. The size of a pair of each.
struct e4m3 {
    u16 pair;
};
struct e5m2 {
    u16 pair;
};

#define MULTIPLY_ADD(type)                                                                                     \
    template <>                                                                                                \
    __device__ __forceinline__ void multiply_add<type>(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {     \
        asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3." #type ".f32 {%0, %1, %2, %3}, "             \
                     "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                           \
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                          \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                          \
    }
MULTIPLY_ADD(e4m3)
MULTIPLY_ADD(e5m2)

// A matrix of bytes; as x, with a scale for each row.
struct Bytes {
    const u8* p;
    const float* scales;  // [rows], or null
    int stride;           // bytes
    int cols;
};

// Rows that are whole chunks of 16 bytes and begin with one: straight into shared memory.
template <typename T, int ROWS, int THREADS> struct AsyncBytes : AsyncRows<T, ROWS, THREADS> {
    typedef AsyncRows<T, ROWS, THREADS> Pairs;

    __device__ __forceinline__ void open(const Bytes& o, int first, int rows, int k) {
        Pairs::open(Rows{o.p, 0, 0}, first, rows, k);
        this->from += (long long)(first + (int)(threadIdx.x / 4)) * o.stride;
        this->step = (long long)Pairs::STEP * o.stride;
    }
};

// Rows of any length and alignment; those of AsyncBytes as it has them, others byte by byte.
template <typename T, int ROWS, int THREADS> struct AnyBytes : AsyncBytes<T, ROWS, THREADS> {
    typedef AsyncRows<T, ROWS, THREADS> Pairs;
    int bytes;  // of k, from this thread's chunk on
    bool whole;

    __device__ __forceinline__ void open(const Bytes& o, int first, int rows, int k) {
        AsyncBytes<T, ROWS, THREADS>::open(o, first, rows, k);
        bytes = o.cols - (int)(threadIdx.x % 4) * 16;
        whole = ((u64)o.p | (u64)o.stride | (u64)o.cols) % 16 == 0;
    }

    __device__ __forceinline__ void fetch(u32 tile) {
        if (whole) {
            Pairs::fetch(tile);
        } else {
            this->from += ROW_BYTES;
            bytes -= ROW_BYTES;
        }
    }

    __device__ __forceinline__ void land(u32 tile) {
        if (whole) {
            return;
        }
        const u8* p = this->from - ROW_BYTES;
#pragma unroll 1
        for (int i = 0; i < Pairs::CHUNKS; i++) {
            int count = this->there >> i & 1 ? bytes + ROW_BYTES : 0;
            u32 y[4];
#pragma unroll
            for (int j = 0; j < 16; j++) {
                u32 one = j < count ? p[i * this->step + j] : 0;
                y[j / 4] = j % 4 == 0 ? one : y[j / 4] | one << j % 4 * 8;
            }
            write_chunk(tile + this->to + i * Pairs::STEP * ROW_BYTES, y[0], y[1], y[2], y[3]);
        }
    }
};

// Multiplies each row of a warp's sums by its scale and by `factor`.
template <class Shape, class Warp>
__device__ __forceinline__ void scale_rows(Warp& warp, const float* scales, float factor, int first_row, int rows) {
    first_row += (int)threadIdx.x / 32 / Shape::WARPS_N * Shape::WARP_M + (int)threadIdx.x % 32 / 4;
#pragma unroll
    for (int i = 0; i < Warp::ROWS; i++) {
#pragma unroll
        for (int e = 0; e < 4; e += 2) {
            int row = first_row + i * 16 + e * 4;
            float scale = row < rows ? scales[row] * factor : 0.0f;
#pragma unroll
            for (int j = 0; j < Warp::COLS; j++) {
                warp.sums[i][j][e] *= scale;
                warp.sums[i][j][e + 1] *= scale;
            }
        }
    }
}

typedef Problems<Bytes, Bytes> Float8Linears;

// One tile of one of the launch's problems; ANY kernels add its side product, in bfloat16.
template <class Shape, typename T, bool ANY, template <typename, int, int> class WLoader>
__device__ __forceinline__ void float8_gemm(const Float8Linears& launch) {
    u8* shared = shared_of_block<Shape::SHARED_BYTES>();
    u32 ring = shared_address(shared);
    Place<Shape, Shape::N> place(launch, blockIdx.x);
    const Problem<Bytes, Bytes>& problem = launch.problems[place.problem];
    const Output& o = problem.o;
    AsyncBytes<T, Shape::M, Shape::THREADS> x;
    WLoader<T, Shape::N, Shape::THREADS> w;
    WarpTile<T, Shape> warp;
    x.open(problem.a, place.first_row, o.m, o.k);
    w.open(problem.b, place.first_col, o.n, o.k);
    warp.open();
    accumulate<Shape>(warp, ring, x, w, o.k);
    scale_rows<Shape>(warp, problem.a.scales, o.scale, place.first_row, o.m);
    if constexpr (ANY) {
        if (problem.side.k > 0) {
            WarpTile<bf16, Shape> wide;
            wide.open();
            wide.take(warp);
            AsyncRows<bf16, Shape::M, Shape::THREADS> left;
            AsyncRows<bf16, Shape::N, Shape::THREADS> right;
            left.open(problem.side.a, place.first_row, o.m, problem.side.k);
            right.open(problem.side.b, place.first_col, o.n, problem.side.k);
            __syncthreads();
            accumulate<Shape>(wide, ring, left, right, problem.side.k);
            warp.take(wide);
        }
    }
    put_out<Shape, false>(o, warp, shared, place.first_row, place.first_col);
}

#define FLOAT8_LINEAR(name, tile, blocks, type, any, w_loader)                \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, blocks)       \
    name(const __grid_constant__ Float8Linears launch) {                      \
        float8_gemm<tile, type, any, w_loader>(launch);                       \
    }
