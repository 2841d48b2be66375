// The operations on equal shapes. A thread reads all inputs of its run before it writes, so out may be any input.
#include "rows.cuh"

// out = act(x), or act(x) * y when there is a y. With no activation it is the conversion between storage types.
struct Activate {
    Rows x;
    Rows y;
    Rows out;
    long long cols;
    int rows;
    int activation;
};

template <int W> __device__ __forceinline__ void activate_runs(const Activate& k) {
    for_each_run<W>(k.rows, k.cols, [&](int row, long long col) {
        Run<W> v = load_any<W>(k.x, row, col);
#pragma unroll
        for (int j = 0; j < W; j++) {
            v.v[j] = activate(k.activation, v.v[j]);
        }
        if (k.y.data) {
            Run<W> factor = load<W>(k.y, row, col);
#pragma unroll
            for (int j = 0; j < W; j++) {
                v.v[j] *= factor.v[j];
            }
        }
        store<W>(k.out, row, col, v);
    });
}

// out = f0 t0 + f1 t1 + ..., in this order, and every product and sum rounded, as on the CPU: the same bits.
struct Combine {
    Rows terms[4];
    Rows out;
    float factors[4];
    long long cols;
    int rows;
    int count;
};

template <int W> __device__ __forceinline__ void combine_runs(const Combine& k) {
    for_each_run<W>(k.rows, k.cols, [&](int row, long long col) {
        Run<W> sum = load<W>(k.terms[0], row, col);
#pragma unroll
        for (int j = 0; j < W; j++) {
            sum.v[j] = __fmul_rn(k.factors[0], sum.v[j]);
        }
#pragma unroll
        for (int term = 1; term < 4; term++) {
            if (term < k.count) {
                Run<W> x = load<W>(k.terms[term], row, col);
#pragma unroll
                for (int j = 0; j < W; j++) {
                    sum.v[j] = __fadd_rn(sum.v[j], __fmul_rn(k.factors[term], x.v[j]));
                }
            }
        }
        store<W>(k.out, row, col, sum);
    });
}

// out = mask * a + (1 - mask) * b, every step rounded, as on the CPU.
struct Blend {
    Rows mask;
    Rows a;
    Rows b;
    Rows out;
    long long cols;
    int rows;
};

template <int W> __device__ __forceinline__ void blend_runs(const Blend& k) {
    for_each_run<W>(k.rows, k.cols, [&](int row, long long col) {
        Run<W> mask = load<W>(k.mask, row, col);
        Run<W> a = load<W>(k.a, row, col);
        Run<W> b = load<W>(k.b, row, col);
#pragma unroll
        for (int j = 0; j < W; j++) {
            float rest = __fmul_rn(__fsub_rn(1, mask.v[j]), b.v[j]);
            a.v[j] = __fadd_rn(__fmul_rn(mask.v[j], a.v[j]), rest);
        }
        store<W>(k.out, row, col, a);
    });
}

extern "C" __global__ void __launch_bounds__(256) elementwise_activate_runs(Activate k) {
    activate_runs<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) elementwise_activate_elements(Activate k) {
    activate_runs<1>(k);
}

extern "C" __global__ void __launch_bounds__(256) elementwise_combine_runs(Combine k) {
    combine_runs<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) elementwise_combine_elements(Combine k) {
    combine_runs<1>(k);
}

extern "C" __global__ void __launch_bounds__(256) elementwise_blend_runs(Blend k) {
    blend_runs<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) elementwise_blend_elements(Blend k) {
    blend_runs<1>(k);
}
