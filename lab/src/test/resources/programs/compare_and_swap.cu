__global__ void compare_and_swap(double* sum, const double* x) {
    unsigned long long* p = (unsigned long long*) sum;
    unsigned long long old = *p, seen;
    do {
        seen = old;
        old = atomicCAS(p, seen, __double_as_longlong(x[blockIdx.x * blockDim.x + threadIdx.x] + __longlong_as_double(seen)));
    } while (old != seen);
}
