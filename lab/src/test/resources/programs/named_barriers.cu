__global__ void named_barriers(int* y) {
    __shared__ int s[128];
    int half = threadIdx.x / 64;
    s[threadIdx.x] = threadIdx.x;
    asm volatile("bar.sync %0, 64;" :: "r"(half + 1) : "memory");
    y[threadIdx.x] = s[half * 64 + (threadIdx.x + 5) % 64];
}
