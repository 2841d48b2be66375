__device__ __noinline__ void sort(int* a, int from, int to) {
    if (to - from < 2) return;
    int own[2] = {from, to};
    int pivot = a[to - 1], k = from;
    for (int i = from; i < to - 1; i++) if (a[i] < pivot) { int t = a[i]; a[i] = a[k]; a[k++] = t; }
    a[to - 1] = a[k]; a[k] = pivot;
    sort(a, own[0], k);
    sort(a, k + 1, own[1]);
}
__global__ void quicksort(int* a, int n) { sort(a + threadIdx.x * n, 0, n); }
