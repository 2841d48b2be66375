#include <cooperative_groups.h>
#include <cuda/pipeline>
/* Two stages that a block fills by cuda::pipeline, whose copies arrive at barriers in shared memory. */
__global__ void staged(const float4* x, float4* y, int tiles) {
    __shared__ alignas(16) float4 stage[2][64];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
    auto block = cooperative_groups::this_thread_block();
    auto pipe = cuda::make_pipeline(block, &state);
    for (int in = 0, out = 0; out < tiles; out++) {
        for (; in < tiles && in < out + 2; in++) {
            pipe.producer_acquire();
            cuda::memcpy_async(block, stage[in % 2], x + in * 64, sizeof(float4) * 64, pipe);
            pipe.producer_commit();
        }
        pipe.consumer_wait();
        float4 v = stage[out % 2][63 - threadIdx.x];
        v.x += 1;
        y[out * 64 + threadIdx.x] = v;
        pipe.consumer_release();
    }
}
