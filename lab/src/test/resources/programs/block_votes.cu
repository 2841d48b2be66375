__global__ void block_votes(const int* x, int* y) {
    int c = __syncthreads_count(x[threadIdx.x] > 50), a = __syncthreads_and(x[threadIdx.x] >= 0), o = __syncthreads_or(x[threadIdx.x] > 1000);
    y[threadIdx.x] = c * 100 + a * 10 + o;
}
