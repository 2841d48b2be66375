__global__ void doubles(const double* x, double* y) {
    double v = x[threadIdx.x];
    y[4 * threadIdx.x] = sin(v); y[4 * threadIdx.x + 1] = pow(v, 1.7);
    y[4 * threadIdx.x + 2] = tanh(v); y[4 * threadIdx.x + 3] = exp(-v) + log(v + 1) + sqrt(v) + cbrt(v);
}
