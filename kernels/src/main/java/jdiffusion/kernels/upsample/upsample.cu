// Nearest-neighbour upsampling by 2, channels last: a run is read once and written to those of the four pixels of its
// square that are there.
#include "rows.cuh"

struct Upsample {
    Rows x;
    Rows out;
    int lines;
    int height, width;
    int out_height, out_width;  // twice those, or one less
    int channels;
};

// Rows of the launch are the lines of all images of the batch, its columns the elements of a line.
template <int W> __device__ __forceinline__ void upsample(const Upsample& k) {
    for_each_run<W>(k.lines, (long long)k.width * k.channels, [&](int line, long long element) {
        int pixel = (u32)element / (u32)k.channels;
        int channel = (u32)element % (u32)k.channels;
        Run<W> v = load<W>(k.x, (long long)line * k.width + pixel, channel);
        int y = line % k.height * 2;
        long long above = ((long long)(line / k.height) * k.out_height + y) * k.out_width + 2 * pixel;
        long long below = above + k.out_width;
        bool right = 2 * pixel + 1 < k.out_width;
        store<W>(k.out, above, channel, v);
        if (right) {
            store<W>(k.out, above + 1, channel, v);
        }
        if (y + 1 < k.out_height) {
            store<W>(k.out, below, channel, v);
            if (right) {
                store<W>(k.out, below + 1, channel, v);
            }
        }
    });
}

extern "C" __global__ void __launch_bounds__(256) upsample_runs(Upsample k) {
    upsample<4>(k);
}

extern "C" __global__ void __launch_bounds__(256) upsample_elements(Upsample k) {
    upsample<1>(k);
}
