__global__ void integers(const long long* x, long long* y) {
    long long v = x[threadIdx.x];
    y[4 * threadIdx.x] = v * v / 7 - v % 5;
    y[4 * threadIdx.x + 1] = __mul64hi(v << 40, v << 30);
    y[4 * threadIdx.x + 2] = __popcll(v) + __ffsll(v) + __clzll(v);
    y[4 * threadIdx.x + 3] = (unsigned) (v * 2654435761u) >> 5 | (long long) __funnelshift_l((int) v, (int) ~v, 7) << 32;
}
