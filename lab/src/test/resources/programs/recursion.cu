__device__ __noinline__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__global__ void recursion(int* y) { y[threadIdx.x] = fib(threadIdx.x % 12); }
