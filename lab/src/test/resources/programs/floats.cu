__global__ void floats(const float* x, float* y) {
    float v = x[threadIdx.x];
    float* o = y + 6 * threadIdx.x;
    o[0] = sinf(v); o[1] = powf(v, 1.3f); o[2] = tanhf(v); o[3] = erff(v); o[4] = rsqrtf(v + 1); o[5] = fmodf(v, 0.3f);
}
