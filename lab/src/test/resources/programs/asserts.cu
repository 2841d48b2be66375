#include <cassert>
__global__ void asserts(const int* x) { assert(x[threadIdx.x] < 50); }
