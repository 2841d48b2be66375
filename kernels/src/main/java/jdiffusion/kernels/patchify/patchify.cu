// Channels-first images cut into rows of patches, and put together again. One thread an element of what is written, in
// its order; a launch's blocks of y are the images of the batch.
#include "rows.cuh"

// The image is [batch, c, h, w], the patches are [batch, h/p * w/p, c * p * p].
struct Patchify {
    Rows image;
    Rows patches;
    int batch;
    int c;
    int h;
    int w;
    int p;
};

struct Place {
    long long row;
    int col;
};

// Where the image holds an element: rows of the tensor are the lines of all channels of all images.
static __device__ __forceinline__ Place in_image(const Patchify& k, int image, int channel, int y, int x) {
    return {((long long)image * k.c + channel) * k.h + y, x};
}

// An element of an image's patches, each of them ordered (channel, y, x).
extern "C" __global__ void __launch_bounds__(256) patchify_cut(Patchify k) {
    int area = k.p * k.p;
    int tokens_across = k.w / k.p;
    int tokens = k.h / k.p * tokens_across;
    for_each_run<1>(k.batch, (long long)tokens * k.c * area, [&](int image, long long element) {
        u32 token = (u32)element / (u32)(k.c * area);
        u32 col = (u32)element % (u32)(k.c * area);
        u32 channel = col / area;
        u32 within = col % area;
        Place from = in_image(k, image, channel, token / tokens_across * k.p + within / k.p,
                              token % tokens_across * k.p + within % k.p);
        store<1>(k.patches, (long long)image * tokens + token, col, load<1>(k.image, from.row, from.col));
    });
}

// An element of an image, from patches ordered (y, x, channel).
extern "C" __global__ void __launch_bounds__(256) patchify_join(Patchify k) {
    int tokens_across = k.w / k.p;
    int tokens = k.h / k.p * tokens_across;
    for_each_run<1>(k.batch, (long long)k.c * k.h * k.w, [&](int image, long long element) {
        u32 line = (u32)element / (u32)k.w;
        u32 x = (u32)element % (u32)k.w;
        u32 channel = line / k.h;
        u32 y = line % k.h;
        u32 token = y / k.p * tokens_across + x / k.p;
        u32 col = (y % k.p * k.p + x % k.p) * k.c + channel;
        Place to = in_image(k, image, channel, y, x);
        store<1>(k.image, to.row, to.col, load<1>(k.patches, (long long)image * tokens + token, col));
    });
}
