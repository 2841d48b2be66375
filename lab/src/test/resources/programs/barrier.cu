#include <cuda/barrier>
__global__ void barrier(int* y, int rounds) {
    using Barrier = cuda::barrier<cuda::thread_scope_block>;
    __shared__ alignas(Barrier) char place[sizeof(Barrier)];
    __shared__ int values[64];
    Barrier* b = (Barrier*) place;
    if (threadIdx.x == 0) init(b, blockDim.x);
    __syncthreads();
    int v = threadIdx.x;
    for (int r = 0; r < rounds; r++) {
        values[threadIdx.x] = v;
        b->arrive_and_wait();
        v = values[(threadIdx.x + 1) % blockDim.x] + r;
        auto token = b->arrive();
        b->wait(std::move(token));
    }
    y[threadIdx.x] = v;
}
