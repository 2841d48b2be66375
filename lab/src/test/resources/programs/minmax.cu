__global__ void minmax(const int* x, int* y, unsigned long long* z) {
    atomicMax(&y[0], x[threadIdx.x]); atomicMin(&y[1], x[threadIdx.x]); atomicXor(&y[2], x[threadIdx.x]);
    atomicAdd(z, (unsigned long long) x[threadIdx.x] << 33); atomicInc((unsigned*) &y[3], 20);
}
