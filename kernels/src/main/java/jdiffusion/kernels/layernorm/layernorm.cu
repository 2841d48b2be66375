// LayerNorm with modulation, one warp a row. The row is read once and kept in shared memory: mean, then the variance
// about it, so that a large common offset costs no accuracy, then one or two outputs with modulations of their own
// (MMDiT-X normalises once for its two attentions).
#include "rows.cuh"

// out = norm * (1 + scale) + shift, one row of scale and shift for each batch entry; both may be absent.
struct Modulated {
    Rows scale;
    Rows shift;
    Rows out;
};

// The second output has no data when there is only one.
struct LayerNorm {
    Rows x;
    Rows weight;
    Rows bias;
    Modulated first;
    Modulated second;
    int rows;
    int cols;
    int rows_per_entry;
    float eps;
};

template <int W>
__device__ __forceinline__ void modulate(const LayerNorm& k, const Modulated& m, int row, const float* staged,
                                         float mean, float inverse) {
    int entry = row / k.rows_per_entry;
    for_each_of_lane<W>(k.cols, [&](int i) {
        Run<W> y = load_run<W>(staged + i);
        Run<W> weight = parameter<W>(k.weight, i, 1);
        Run<W> bias = parameter<W>(k.bias, i, 0);
#pragma unroll
        for (int j = 0; j < W; j++) {
            y.v[j] = (y.v[j] - mean) * inverse * weight.v[j] + bias.v[j];
        }
        if (m.scale.data) {
            Run<W> scale = load_run<W>((const float*)m.scale.data + m.scale.at(entry, i));
            Run<W> shift = load_run<W>((const float*)m.shift.data + m.shift.at(entry, i));
#pragma unroll
            for (int j = 0; j < W; j++) {
                y.v[j] = y.v[j] * (1 + scale.v[j]) + shift.v[j];
            }
        }
        store<W>(m.out, row, i, y);
    });
}

template <int W> __device__ __forceinline__ void layernorm(const LayerNorm& k) {
    int row = row_of_warp();
    if (row >= k.rows) {
        return;
    }
    float* staged = staged_row(k.cols);
    float sum = 0;
    stage<W>(k.x, row, k.cols, staged, [&](float v) { sum += v; });
    float mean = warp_sum(sum) / k.cols;
    float squares = 0;
    for_each_of_lane<W>(k.cols, [&](int i) {
        Run<W> v = load_run<W>(staged + i);
#pragma unroll
        for (int j = 0; j < W; j++) {
            squares += (v.v[j] - mean) * (v.v[j] - mean);
        }
    });
    float inverse = 1 / sqrtf(warp_sum(squares) / k.cols + k.eps);
    modulate<W>(k, k.first, row, staged, mean, inverse);
    if (k.second.out.data) {
        modulate<W>(k, k.second, row, staged, mean, inverse);
    }
}

extern "C" __global__ void __launch_bounds__(128) layernorm_runs(LayerNorm k) {
    layernorm<4>(k);
}

extern "C" __global__ void __launch_bounds__(128) layernorm_elements(LayerNorm k) {
    layernorm<1>(k);
}
