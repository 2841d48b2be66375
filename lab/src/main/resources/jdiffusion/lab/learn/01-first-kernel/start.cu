__global__ void add_ten(const float* x, float* y) {
    int i = threadIdx.x;
    // y[i] is still missing.
}
