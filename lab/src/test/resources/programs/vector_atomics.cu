__global__ void vector_atomics(const float* x, float* sums, float* before, float* bins) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float v = x[i];
    float4 old = atomicAdd((float4*) sums + i % 4, make_float4(v, 2 * v, 1, -v));
    before[i] = old.z;
    atomicAdd((float2*) bins + (int) (v * 8), make_float2(1, v));
}
