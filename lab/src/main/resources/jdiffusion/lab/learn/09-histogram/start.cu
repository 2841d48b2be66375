__global__ void histogram(const unsigned char* data, int* bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        bins[data[i]]++;
    }
}
