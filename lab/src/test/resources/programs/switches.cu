__global__ void switches(const int* x, int* y) {
    int v = x[threadIdx.x], r;
    switch (v % 8) {
        case 0: r = v * 3; break; case 1: r = v ^ 0x55; break; case 2: r = v / 3; break; case 3: r = -v; break;
        case 4: r = v << 2; break; case 5: r = __popc(v); break; case 6: r = __clz(v); break; default: r = __brev(v);
    }
    y[threadIdx.x] = r;
}
