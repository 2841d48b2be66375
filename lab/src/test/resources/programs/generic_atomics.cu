__device__ __noinline__ void count(int* p) { atomicAdd(p, 1); }
__global__ void generic_atomics(const int* x, int* y) {
    __shared__ int own;
    if (threadIdx.x == 0) own = 0;
    __syncthreads();
    count(x[threadIdx.x] % 2 ? &own : &y[0]);
    __syncthreads();
    if (threadIdx.x == 0) y[1] = own;
}
