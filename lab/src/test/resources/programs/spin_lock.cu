__device__ int lock;
__global__ void spin_lock(int* count) {
    bool done = false;
    while (!done) if (atomicCAS(&lock, 0, 1) == 0) { *(volatile int*) count = *(volatile int*) count + 1; __threadfence(); atomicExch(&lock, 0); done = true; }
}
