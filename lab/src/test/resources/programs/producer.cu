// One warp fills two places in turn, the other one empties them; barriers 1 and 2 say full, 3 and 4 empty.
__global__ void producer(const float* x, float* y, int n) {
    __shared__ float s[2][32];
    int lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        for (int i = 0; i < n; i++) {
            asm volatile("bar.sync %0, 64;" :: "r"(3 + i % 2) : "memory");
            s[i % 2][lane] = x[(blockIdx.x * n + i) * 32 + lane];
            asm volatile("bar.arrive %0, 64;" :: "r"(1 + i % 2) : "memory");
        }
    } else {
        asm volatile("bar.arrive 3, 64;\n bar.arrive 4, 64;" ::: "memory");
        for (int i = 0; i < n; i++) {
            asm volatile("bar.sync %0, 64;" :: "r"(1 + i % 2) : "memory");
            y[(blockIdx.x * n + i) * 32 + lane] = s[i % 2][31 - lane] + 1;
            if (i + 2 < n) {
                asm volatile("bar.arrive %0, 64;" :: "r"(3 + i % 2) : "memory");
            }
        }
    }
}
