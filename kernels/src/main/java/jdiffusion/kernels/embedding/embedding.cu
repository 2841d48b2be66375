// Rows looked up in a table, and the sinusoidal embedding of timesteps.
#include "rows.cuh"

// ids has no data for the rows 0, 1, 2, ...; they were checked on the host.
struct Embedding {
    const int* ids;
    Rows table;
    Rows out;
    int rows;
    int cols;
    int add;
};

template <int W> __device__ __forceinline__ void embedding(const Embedding& k) {
    for_each_run<W>(k.rows, k.cols, [&](int row, long long col) {
        Run<W> v = load_any<W>(k.table, k.ids ? k.ids[row] : row, col);
        if (k.add) {
            Run<W> sum = load<W>(k.out, row, col);
#pragma unroll
            for (int j = 0; j < W; j++) {
                v.v[j] += sum.v[j];
            }
        }
        store<W>(k.out, row, col, v);
    });
}

extern "C" __global__ void __launch_bounds__(256) embedding_runs(Embedding k) {
    embedding<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) embedding_elements(Embedding k) {
    embedding<1>(k);
}

// Cosine and sine in double precision, by a turn to within pi/4 of 0 (pi/2 in two parts, so that nothing is lost for
// any timestep) and Taylor's series, whose next terms are under 1e-11. The library's own functions keep a table of
// pi's digits and an array in local memory for the sake of huge arguments.
static __device__ __forceinline__ void cosine_sine(double angle, float& cosine, float& sine) {
    double turns = rint(angle * 0.63661977236758134308);
    double r = fma(-turns, 1.57079632679489655800, angle);
    r = fma(-turns, 6.12323399573676603587e-17, r);
    double z = r * r;
    double s = fma(z, -1.0 / 39916800, 1.0 / 362880);
    s = fma(z, s, -1.0 / 5040);
    s = fma(z, s, 1.0 / 120);
    s = fma(z, s, -1.0 / 6);
    s = fma(z * r, s, r);
    double c = fma(z, 1.0 / 479001600, -1.0 / 3628800);
    c = fma(z, c, 1.0 / 40320);
    c = fma(z, c, -1.0 / 720);
    c = fma(z, c, 1.0 / 24);
    c = fma(z, c, -0.5);
    c = fma(z, c, 1.0);
    int quarter = (int)(long long)turns & 3;
    double first = quarter & 1 ? s : c;
    double second = quarter & 1 ? c : s;
    cosine = (float)(quarter == 1 || quarter == 2 ? -first : first);
    sine = (float)(quarter >= 2 ? -second : second);
}

struct Timesteps {
    Rows t;
    Rows out;
    float minus_log_max_period;
    int rows;
    int half;
};

// Rounded to float32 where the reference rounds: exponent, frequency and angle; see CpuEmbedding.
extern "C" __global__ void __launch_bounds__(256) embedding_timesteps(Timesteps k) {
    for_each_run<1>(k.rows, k.half, [&](int row, long long col) {
        float exponent = __fdiv_rn(__fmul_rn(k.minus_log_max_period, (float)col), (float)k.half);
        float frequency = (float)exp((double)exponent);
        float angle = __fmul_rn(load<1>(k.t, 0, row).v[0], frequency);
        float cosine;
        float sine;
        cosine_sine(angle, cosine, sine);
        store<1>(k.out, row, col, {cosine});
        store<1>(k.out, row, k.half + col, {sine});
    });
}
