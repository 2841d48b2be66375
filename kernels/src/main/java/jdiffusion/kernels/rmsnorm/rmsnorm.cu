// Root mean square normalisation, one warp a row, which is read once and kept in shared memory.
#include "rows.cuh"

struct RmsNorm {
    Rows x;
    Rows weight;
    Rows out;
    int rows;
    int cols;
    float eps;
};

template <int W> __device__ __forceinline__ void rmsnorm(const RmsNorm& k) {
    int row = row_of_warp();
    if (row >= k.rows) {
        return;
    }
    float* staged = staged_row(k.cols);
    float squares = 0;
    stage<W>(k.x, row, k.cols, staged, [&](float v) { squares += v * v; });
    float inverse = 1 / sqrtf(warp_sum(squares) / k.cols + k.eps);
    for_each_of_lane<W>(k.cols, [&](int i) {
        Run<W> y = load_run<W>(staged + i);
        Run<W> weight = parameter<W>(k.weight, i, 1);
#pragma unroll
        for (int j = 0; j < W; j++) {
            y.v[j] = y.v[j] * inverse * weight.v[j];
        }
        store<W>(k.out, row, i, y);
    });
}

extern "C" __global__ void __launch_bounds__(128) rmsnorm_runs(RmsNorm k) {
    rmsnorm<4>(k);
}

extern "C" __global__ void __launch_bounds__(128) rmsnorm_elements(RmsNorm k) {
    rmsnorm<1>(k);
}
