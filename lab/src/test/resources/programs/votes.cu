__global__ void votes(const int* x, int* y) {
    int v = x[threadIdx.x];
    y[threadIdx.x] = __ballot_sync(~0u, v & 1) + (__any_sync(~0u, v > 90) ? 1 : 0) + (__all_sync(~0u, v >= 0) ? 2 : 0) + (clock() >= 0 ? 4 : 0);
}
