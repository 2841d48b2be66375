#include <cuda/atomic>
// One warp hands tiles to another by flags in shared memory.
template <bool FILLED, bool TAKEN> __device__ void hand_on(const int* x, int* y, int rounds) {
    __shared__ int tile[32];
    __shared__ volatile int full, empty;
    int lane = threadIdx.x % 32;
    if (threadIdx.x == 0) {
        full = empty = 0;
    }
    __syncthreads();
    for (int r = 0; r < rounds; r++) {
        if (threadIdx.x < 32) {
            if (lane == 0) {
                while (empty < r) { }
                __threadfence_block();
            }
            __syncwarp();
            tile[lane] = x[r * 32 + lane];
            __syncwarp();
            if (lane == 0) {
                if (FILLED) {
                    __threadfence_block();
                }
                full = r + 1;
            }
        } else {
            if (lane == 0) {
                while (full <= r) { }
                if (TAKEN) {
                    __threadfence_block();
                }
            }
            __syncwarp();
            y[r * 32 + 31 - lane] = tile[lane];
            __syncwarp();
            if (lane == 0) {
                __threadfence_block();
                empty = r + 1;
            }
        }
    }
}
__global__ void flags(const int* x, int* y, int rounds) { hand_on<true, true>(x, y, rounds); }
__global__ void hasty(const int* x, int* y, int rounds) { hand_on<false, true>(x, y, rounds); }
__global__ void trusting(const int* x, int* y, int rounds) { hand_on<true, false>(x, y, rounds); }
__global__ void counted(const int* x, int* y) {
    __shared__ int tile[128];
    __shared__ cuda::atomic<int, cuda::thread_scope_block> done;
    if (threadIdx.x == 0) {
        done.store(0, cuda::std::memory_order_relaxed);
    }
    __syncthreads();
    tile[threadIdx.x] = x[threadIdx.x];
    done.fetch_add(1, cuda::std::memory_order_release);
    while (done.load(cuda::std::memory_order_acquire) < blockDim.x) { }
    y[threadIdx.x] = tile[threadIdx.x ^ 77];
}
