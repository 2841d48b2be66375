__global__ void scan(const int* x, int* y) {
    __shared__ int s[2][256];
    int t = threadIdx.x, p = 0;
    s[0][t] = x[t];
    __syncthreads();
    for (int o = 1; o < 256; o <<= 1) {
        s[1 - p][t] = t >= o ? s[p][t] + s[p][t - o] : s[p][t];
        p = 1 - p;
        __syncthreads();
    }
    y[t] = s[p][t];
}
