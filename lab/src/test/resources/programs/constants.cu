__constant__ float weights[4] = {0.5f, -1.0f, 2.0f, 0.25f};
__device__ int calls = 3;
__global__ void constants(const float* x, float* y) {
    int i = threadIdx.x;
    float s = 0;
    for (int k = 0; k < 4; k++) s += weights[k] * x[i + k];
    y[i] = s + atomicAdd(&calls, 0);
}
