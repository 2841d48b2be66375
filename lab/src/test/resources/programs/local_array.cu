__global__ void local_array(const int* index, int* y) {
    int a[16];
    for (int i = 0; i < 16; i++) a[i] = i * i + threadIdx.x;
    for (int i = 0; i < 16; i++) { int j = index[i]; int t = a[i]; a[i] = a[j]; a[j] = t; }
    for (int i = 0; i < 16; i++) y[threadIdx.x * 16 + i] = a[i];
}
