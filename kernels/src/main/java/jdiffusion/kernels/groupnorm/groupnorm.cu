// GroupNorm and an activation, channels last, in three launches: mean and squared deviation of every tile about its own
// mean; those of a group joined; the normalisation. All work on x - centre, the image's first value of the group, so
// that neither a large offset nor a million pixels cost accuracy.
#include "rows.cuh"

struct GroupNorm {
    Rows x;
    Rows weight;
    Rows bias;
    Rows out;
    float2* tiles_moments;     // [batch, groups, tiles]: mean, squared deviations from it
    float4* groups_parameters; // [batch, groups]: centre, mean, 1 / deviation
    int pixels;
    int channels;
    int groups;
    int tiles;
    int tile_pixels;
    int lanes;        // threads side by side on the channels of a pixel, W channels each
    int pixel_step;   // pixels that a block visits at a time
    int activation;
    float eps;
};

// What one thread has under way at a time.
static constexpr int PIXELS = 4;

// The pixels of one image that a block visits; this thread begins at `first` and goes on by pixel_step.
struct Tile {
    long long row;
    int pixels;
    int first;
};

static __device__ __forceinline__ Tile tile_of_block(const GroupNorm& k) {
    int start = blockIdx.x * k.tile_pixels;
    return {(long long)blockIdx.y * k.pixels + start, min(k.tile_pixels, k.pixels - start),
            (int)threadIdx.x / k.lanes};
}

template <int W, typename T>
__device__ __forceinline__ void load_typed(const GroupNorm& k, const Tile& tile, int pixel, int channel,
                                           Run<W> (&v)[PIXELS]) {
    const T* p = (const T*)k.x.data + k.x.at(tile.row + pixel, channel);
#pragma unroll
    for (int u = 0; u < PIXELS; u++) {
        v[u] = {};
        if (pixel + u * k.pixel_step < tile.pixels) {
            v[u] = load_run<W>(p + (long long)u * k.pixel_step * k.x.stride);
        }
    }
}

// The runs of this thread's next pixels; zeros past the end of the tile.
template <int W>
__device__ __forceinline__ void load_pixels(const GroupNorm& k, const Tile& tile, int pixel, int channel,
                                            Run<W> (&v)[PIXELS]) {
    if (k.x.type == F32) {
        load_typed<W, float>(k, tile, pixel, channel, v);
    } else if (k.x.type == BF16) {
        load_typed<W, bf16>(k, tile, pixel, channel, v);
    } else {
        load_typed<W, f16>(k, tile, pixel, channel, v);
    }
}

static __device__ __forceinline__ float centre_of(const GroupNorm& k, int image, int group) {
    return load<1>(k.x, (long long)image * k.pixels, group * (k.channels / k.groups)).v[0];
}

// Mean and squared deviations of what this thread meets in one run of channels: two passes over the values that it has
// in registers, then Chan, Golub and LeVeque's update (1979).
template <int W>
__device__ __forceinline__ float2 moments_of_run(const GroupNorm& k, const Tile& tile, int channel, float centre) {
    float seen = 0;
    float mean = 0;
    float squares = 0;
    for (int pixel = tile.first; pixel < tile.pixels; pixel += PIXELS * k.pixel_step) {
        Run<W> v[PIXELS];
        load_pixels<W>(k, tile, pixel, channel, v);
        float sum = 0;
        float more = 0;
#pragma unroll
        for (int u = 0; u < PIXELS; u++) {
            if (pixel + u * k.pixel_step < tile.pixels) {
                more += W;
#pragma unroll
                for (int j = 0; j < W; j++) {
                    v[u].v[j] -= centre;
                    sum += v[u].v[j];
                }
            }
        }
        float own = sum / more;
        float own_squares = 0;
#pragma unroll
        for (int u = 0; u < PIXELS; u++) {
            if (pixel + u * k.pixel_step < tile.pixels) {
#pragma unroll
                for (int j = 0; j < W; j++) {
                    own_squares += (v[u].v[j] - own) * (v[u].v[j] - own);
                }
            }
        }
        float step = own - mean;
        float share = more / (seen + more);
        mean += step * share;
        squares += own_squares + step * step * seen * share;
        seen += more;
    }
    return {mean, squares};
}

// A tile's moments for every group. Shared memory holds those of every run of channels and thread: [pixel_step, row],
// where row is odd, so that the threads that sum a group over its pixels find them in different banks.
template <int W> __device__ __forceinline__ void describe(const GroupNorm& k) {
    extern __shared__ float2 moments[];
    int group_size = k.channels / k.groups;
    int runs = k.channels / W;
    int row = runs | 1;
    int image = blockIdx.y;
    Tile tile = tile_of_block(k);
    if (tile.first < k.pixel_step) {
        for (int run = threadIdx.x % k.lanes; run < runs; run += k.lanes) {
            float centre = centre_of(k, image, run * W / group_size);
            moments[tile.first * row + run] = moments_of_run<W>(k, tile, run * W, centre);
        }
    }
    __syncthreads();

    int runs_of_group = group_size / W;
    int parts = runs_of_group * min(k.pixel_step, tile.pixels);
    for (int group = threadIdx.x / 32; group < k.groups; group += blockDim.x / 32) {
        float sum = 0;
        for (int i = threadIdx.x % 32; i < parts; i += 32) {
            int first = i / runs_of_group;
            float count = W * ((tile.pixels - first + k.pixel_step - 1) / k.pixel_step);
            sum += count * moments[first * row + group * runs_of_group + i % runs_of_group].x;
        }
        float mean = warp_sum(sum) / ((float)tile.pixels * group_size);
        float squares = 0;
        for (int i = threadIdx.x % 32; i < parts; i += 32) {
            int first = i / runs_of_group;
            float count = W * ((tile.pixels - first + k.pixel_step - 1) / k.pixel_step);
            float2 part = moments[first * row + group * runs_of_group + i % runs_of_group];
            squares += part.y + count * (part.x - mean) * (part.x - mean);
        }
        squares = warp_sum(squares);
        if (threadIdx.x % 32 == 0) {
            k.tiles_moments[((long long)image * k.groups + group) * k.tiles + blockIdx.x] = {mean, squares};
        }
    }
}

// The same sum for all threads of a block of 256, in a fixed order.
static __device__ __forceinline__ double block_sum(double x, double* parts) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, step);
    }
    if (threadIdx.x % 32 == 0) {
        parts[threadIdx.x / 32] = x;
    }
    __syncthreads();
    x = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        x += parts[i];
    }
    __syncthreads();
    return x;
}

// One block a group (x) and image (y): its tiles' moments joined, the same update for many sets at once.
extern "C" __global__ void __launch_bounds__(256) groupnorm_join(GroupNorm k) {
    __shared__ double parts[8];
    int group = blockIdx.x;
    int image = blockIdx.y;
    int group_size = k.channels / k.groups;
    const float2* moments = k.tiles_moments + ((long long)image * k.groups + group) * k.tiles;
    double all = (double)k.pixels * group_size;
    double sum = 0;
    for (int tile = threadIdx.x; tile < k.tiles; tile += 256) {
        double count = (double)min(k.tile_pixels, k.pixels - tile * k.tile_pixels) * group_size;
        sum += count * moments[tile].x;
    }
    double mean = block_sum(sum, parts) / all;
    double squares = 0;
    for (int tile = threadIdx.x; tile < k.tiles; tile += 256) {
        double count = (double)min(k.tile_pixels, k.pixels - tile * k.tile_pixels) * group_size;
        double step = moments[tile].x - mean;
        squares += moments[tile].y + count * step * step;
    }
    squares = block_sum(squares, parts);
    if (threadIdx.x == 0) {
        double inverse = 1 / sqrt(squares / all + k.eps);
        k.groups_parameters[image * k.groups + group] = {centre_of(k, image, group), (float)mean, (float)inverse, 0};
    }
}

// out may be x: by now nobody reads what another thread writes.
template <int W> __device__ __forceinline__ void normalize(const GroupNorm& k) {
    int group_size = k.channels / k.groups;
    Tile tile = tile_of_block(k);
    if (tile.first >= k.pixel_step) {
        return;
    }
    for (int channel = threadIdx.x % k.lanes * W; channel < k.channels; channel += k.lanes * W) {
        float4 group = k.groups_parameters[blockIdx.y * k.groups + channel / group_size];
        Run<W> gain = parameter<W>(k.weight, channel, 1);
        Run<W> offset = parameter<W>(k.bias, channel, 0);
#pragma unroll
        for (int j = 0; j < W; j++) {
            gain.v[j] *= group.z;
        }
        for (int pixel = tile.first; pixel < tile.pixels; pixel += PIXELS * k.pixel_step) {
            Run<W> v[PIXELS];
            load_pixels<W>(k, tile, pixel, channel, v);
#pragma unroll
            for (int u = 0; u < PIXELS; u++) {
                int at = pixel + u * k.pixel_step;
                if (at < tile.pixels) {
#pragma unroll
                    for (int j = 0; j < W; j++) {
                        float y = (v[u].v[j] - group.x - group.y) * gain.v[j] + offset.v[j];
                        v[u].v[j] = activate(k.activation, y);
                    }
                    store<W>(k.out, tile.row + at, channel, v[u]);
                }
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) groupnorm_describe_runs(GroupNorm k) {
    describe<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) groupnorm_describe_elements(GroupNorm k) {
    describe<1>(k);
}

extern "C" __global__ void __launch_bounds__(256) groupnorm_normalize_runs(GroupNorm k) {
    normalize<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) groupnorm_normalize_elements(GroupNorm k) {
    normalize<1>(k);
}
