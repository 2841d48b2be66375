__device__ float across(float v) {
    for (int d = 16; d > 0; d /= 2) {
        v += __shfl_down_sync(0xffffffff, v, d);
    }
    return v;
}

__global__ void block_sum(const float* x, float* y) {
    __shared__ float sums[8];
    float v = across(x[blockIdx.x * 256 + threadIdx.x]);
    if (threadIdx.x % 32 == 0) {
        sums[threadIdx.x / 32] = v;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        v = across(threadIdx.x < 8 ? sums[threadIdx.x] : 0);
        if (threadIdx.x == 0) {
            y[blockIdx.x] = v;
        }
    }
}
