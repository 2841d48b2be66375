// How sums of linear_sm90.cuh's products go to memory.
#pragma once
#include "epilogue.cuh"

// On their way to memory sums lie in rows of so many floats, 16 rows of each warp.
constexpr int STAGED_COLS = 64;

// Where a warp's staged rows have run `j` of 8 columns of row `row`: runs change places by exclusive-or with the row's
// number, which keeps the writes of sums and the reads of rows free of bank conflicts.
static __device__ __forceinline__ int staged_at(int row, int j) {
    return row * STAGED_COLS + (j ^ (row & 7)) * 8;
}

// A warp's 16 rows of sums to out by way of shared memory, 64 columns of sums at a time. Of a GATED layer the upper
// half of the sums are gates, so that a pass takes 32 columns of values and theirs.
template <class Tile, bool GATED> struct WarpRows {
    static constexpr int COLS = GATED ? STAGED_COLS / 2 : STAGED_COLS;  // of out in a pass
    static constexpr int PASSES = Tile::N / STAGED_COLS;
    static constexpr int LANES = COLS / 4;  // of a row
    static constexpr int STEP = 32 / LANES;
    static constexpr int ROWS = Tile::WARP_M / STEP;  // of a lane

    const Output& o;
    float* staged;
    int row, col;  // of out, the lane's first ones
    int count;     // of its four columns that are there

    __device__ __forceinline__ WarpRows(const Output& o, float* staged, int first_row, int first_col)
            : o(o), staged(staged), row(first_row + threadIdx.x % 32 / LANES),
              col(first_col + threadIdx.x % LANES * 4) {
    }

    __device__ __forceinline__ bool exists(int i) const {
        return row + i * STEP < o.m && count > 0;
    }

    // This lane's four columns of its row i.
    __device__ __forceinline__ float4* at(int i, int cols_on = 0) const {
        int own_col = cols_on + threadIdx.x % LANES * 4;
        return (float4*)(staged + staged_at(threadIdx.x % 32 / LANES + i * STEP, own_col / 8) + own_col % 8);
    }

    __device__ __forceinline__ void stage(const float (&sums)[Tile::N / 2], int pass) const {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            if (i != pass) {
                continue;
            }
#pragma unroll
            for (int j = 0; j < STAGED_COLS / 8; j++) {
                constexpr int RUNS = COLS / 8;  // of out
                int from = 4 * (i * RUNS + (j < RUNS ? j : Tile::N / 16 + j - RUNS));
                u32 to = shared_address(staged + staged_at(lane / 4, j) + lane % 4 * 2);
                write_pair(to, sums[from], sums[from + 1]);
                write_pair(to + 8 * STAGED_COLS * 4, sums[from + 2], sums[from + 3]);
            }
        }
    }

    __device__ __forceinline__ void load_bias(float (&bias)[4], long long at) const {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            bias[j] = j < count ? load_as_float(o.bias, o.bias_type, at + j) : 0.0f;
        }
    }

    // Bias and activation, in place.
    __device__ __forceinline__ void activate_staged() const {
        float bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        float gate_bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        int next_bias = o.bias != nullptr ? 0 : o.m;
#pragma unroll 1
        for (int i = 0; i < ROWS && exists(i); i++) {
            if (row + i * STEP >= next_bias) {
                int run = (row + i * STEP) / o.bias_rows;
                load_bias(bias, (long long)run * o.bias_stride + col);
                if (GATED) {
                    load_bias(gate_bias, (long long)o.n + col);
                }
                next_bias = (run + 1) * o.bias_rows;
            }
            float4 y = *at(i);
            y = make_float4(y.x + bias[0], y.y + bias[1], y.z + bias[2], y.w + bias[3]);
            if (GATED) {
                float4 gate = *at(i, COLS);
                y.x *= activate(o.activation, gate.x + gate_bias[0]);
                y.y *= activate(o.activation, gate.y + gate_bias[1]);
                y.z *= activate(o.activation, gate.z + gate_bias[2]);
                y.w *= activate(o.activation, gate.w + gate_bias[3]);
            } else {
                y.x = activate(o.activation, y.x);
                y.y = activate(o.activation, y.y);
                y.z = activate(o.activation, y.z);
                y.w = activate(o.activation, y.w);
            }
            *at(i) = y;
        }
    }

    __device__ __forceinline__ float4* out_at(int i) const {
        return (float4*)((float*)o.out + (long long)(row + i * STEP) * o.out_stride + col);
    }

    // out += gate y in float32, whole fours of columns.
    __device__ __forceinline__ void add(const float4 (&old)[ROWS]) const {
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            if (exists(i)) {
                float4 y = *at(i);
                float4 gate = make_float4(1.0f, 1.0f, 1.0f, 1.0f);
                if (o.gate != nullptr) {
                    gate = *(const float4*)(o.gate + (long long)((row + i * STEP) / o.gate_rows) * o.gate_stride + col);
                }
                *out_at(i) = make_float4(old[i].x + gate.x * y.x, old[i].y + gate.y * y.y, old[i].z + gate.z * y.z,
                                         old[i].w + gate.w * y.w);
            }
        }
    }

    __device__ __forceinline__ void store(const float (&sums)[Tile::N / 2]) {
        bool whole = o.n % 4 == 0 && (o.out_stride | o.gate_stride) % 4 == 0 && ((u64)o.out | (u64)o.gate) % 16 == 0;
        bool adds = !GATED && o.mode == ADD && o.out_type == F32 && whole;
#pragma unroll 1
        for (int pass = 0; pass < PASSES; pass++, col += COLS) {
            count = o.n - col;
            float4 old[ROWS];
            if (adds) {
                // All at once, long before the first is used.
#pragma unroll
                for (int i = 0; i < ROWS; i++) {
                    old[i] = exists(i) ? *out_at(i) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                }
            }
            __syncwarp();
            stage(sums, pass);
            __syncwarp();
            if (GATED || o.bias != nullptr || o.activation != NONE) {
                activate_staged();
            }
            if (adds) {
                add(old);
                continue;
            }
#pragma unroll 1
            for (int i = 0; i < ROWS && exists(i); i++) {
                float4 staged_y = *at(i);
                float y[4] = {staged_y.x, staged_y.y, staged_y.z, staged_y.w};
                long long to = (long long)(row + i * STEP) * o.out_stride + col;
                if constexpr (GATED) {
                    store_four(y, o.out, o.out_type, to, count);
                } else {
                    float old_four[4];
                    if (o.mode != STORE) {
                        load_four(old_four, o.out, o.out_type, to, count);
                    }
                    meet(o, y, old_four, row + i * STEP, col, count);
                }
            }
        }
    }
};
