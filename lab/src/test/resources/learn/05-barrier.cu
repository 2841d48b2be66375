__global__ void turn_round(float* x) {
    __shared__ float s[128];
    int first = blockIdx.x * 128;
    s[threadIdx.x] = x[first + threadIdx.x];
    __syncthreads();
    x[first + threadIdx.x] = s[127 - threadIdx.x];
}
