__global__ void squares(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    // One element is not enough; gridDim.x is the number of blocks.
    y[i] = x[i] * x[i];
}
