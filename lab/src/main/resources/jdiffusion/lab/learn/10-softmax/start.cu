__global__ void softmax(const float* x, float* y, int n, float scale) {
    int lane = threadIdx.x;
    const float* row = x + blockIdx.x * n;
    float sum = 0;
    for (int i = lane; i < n; i += 32) {
        sum += expf(scale * row[i]);
    }
    for (int d = 16; d > 0; d /= 2) {
        sum += __shfl_xor_sync(0xffffffff, sum, d);
    }
    for (int i = lane; i < n; i += 32) {
        y[blockIdx.x * n + i] = expf(scale * row[i]) / sum;
    }
}
