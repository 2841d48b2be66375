#include <cstdio>
__global__ void print(int n) {
    if (threadIdx.x < 2) printf("block %d thread %2u of %d: %.2f %5s|%-4d|%x %lld %c%%\n", blockIdx.x, threadIdx.x, n, 1.5 * threadIdx.x, "ab", 7, 255, 1ll << 40, 'z');
}
