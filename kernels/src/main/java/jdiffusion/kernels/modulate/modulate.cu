// Modulation without a norm: out = x * (1 + scale) + shift, one row of scale and shift for each batch entry. A thread
// reads its run before it writes, so out may be x. Every step is rounded, as on the CPU: the same bits.
#include "rows.cuh"

struct Modulate {
    Rows x;
    Rows scale;
    Rows shift;
    Rows out;
    int rows;
    int cols;
    int rows_per_entry;
};

template <int W> __device__ __forceinline__ void modulate(const Modulate& k) {
    for_each_run<W>(k.rows, k.cols, [&](int row, long long col) {
        int entry = row / k.rows_per_entry;
        Run<W> v = load<W>(k.x, row, col);
        Run<W> scale = load_run<W>((const float*)k.scale.data + k.scale.at(entry, col));
        Run<W> shift = load_run<W>((const float*)k.shift.data + k.shift.at(entry, col));
#pragma unroll
        for (int j = 0; j < W; j++) {
            v.v[j] = __fadd_rn(__fmul_rn(v.v[j], __fadd_rn(scale.v[j], 1)), shift.v[j]);
        }
        store<W>(k.out, row, col, v);
    });
}

extern "C" __global__ void __launch_bounds__(256) modulate_runs(Modulate k) {
    modulate<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) modulate_elements(Modulate k) {
    modulate<1>(k);
}
