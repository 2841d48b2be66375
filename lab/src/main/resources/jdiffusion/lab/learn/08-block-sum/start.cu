__global__ void block_sum(const float* x, float* y) {
    if (threadIdx.x == 0) {
        float sum = 0;
        for (int i = 0; i < 256; i++) {
            sum += x[blockIdx.x * 256 + i];
        }
        y[blockIdx.x] = sum;
    }
}
