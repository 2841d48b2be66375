#include <cuda/atomic>
/* Atomics of libcu++ on plain memory: sums, the greatest, and a loop of compare and exchange. */
__global__ void atomic_refs(const int* x, int* y) {
    cuda::atomic_ref<int, cuda::thread_scope_device> sum(y[0]), most(y[1]), counted(y[2]);
    sum.fetch_add(x[threadIdx.x], cuda::memory_order_relaxed);
    most.fetch_max(x[threadIdx.x], cuda::memory_order_acq_rel);
    int old = counted.load();
    while (!counted.compare_exchange_weak(old, old + 2)) { }
}
