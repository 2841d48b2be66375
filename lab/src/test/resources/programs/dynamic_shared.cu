extern __shared__ float values[];
__global__ void dynamic_shared(const float* x, float* y, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) values[i] = x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = values[n - 1 - i];
}
