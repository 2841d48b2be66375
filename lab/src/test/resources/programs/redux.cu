__global__ void redux(const int* x, int* y) {
    int v = x[threadIdx.x];
    y[0] = __reduce_add_sync(~0u, v);
    y[1] = __reduce_max_sync(~0u, v - 50);
    y[2] = __reduce_min_sync(~0u, (unsigned) v);
    y[3] = __reduce_xor_sync(~0u, (unsigned) v);
    y[4] = __reduce_or_sync(~0u, (unsigned) v);
    y[5] = __reduce_and_sync(~0u, (unsigned) v | 5);
}
