__global__ void turn_round(float* x) {
    __shared__ float s[128];
    int first = blockIdx.x * 128;
    s[threadIdx.x] = x[first + threadIdx.x];
    // Something is missing here.
    x[first + threadIdx.x] = s[127 - threadIdx.x];
}
