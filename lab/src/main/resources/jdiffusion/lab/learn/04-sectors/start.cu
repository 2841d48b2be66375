__global__ void scale_rows(const float* x, const float* scale, float* y, int n) {
    int row = blockIdx.x * 32 + threadIdx.x;
    int column = blockIdx.y * 8 + threadIdx.y;
    y[row * n + column] = scale[row] * x[row * n + column];
}
