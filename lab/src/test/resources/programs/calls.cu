__device__ __noinline__ float square_plus(float a, float b) { return a * a + b; }
__device__ __noinline__ void both(float x, float* s, float* c) { *s = square_plus(x, 1); *c = square_plus(x, -1); }
__global__ void calls(const float* x, float* y) {
    float s, c;
    both(x[threadIdx.x], &s, &c);
    if (threadIdx.x % 3 == 0) s = square_plus(s, c);
    y[threadIdx.x] = s + c;
}
