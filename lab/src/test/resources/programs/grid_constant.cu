struct Layer { float weights[6]; int rows, columns; unsigned char scale[4]; double bias[2]; };
struct Layers { int count; Layer of[2]; };
__device__ __noinline__ float row(const Layer* layer, const float* x, int r) {
    float sum = (float) layer->bias[r];
    for (int c = 0; c < layer->columns; c++) {
        sum += layer->weights[r * layer->columns + c] * x[c];
    }
    return sum * layer->scale[r];
}
__global__ void grid_constant(const __grid_constant__ Layers layers, const float* x, float* y) {
    const Layer* chosen = &layers.of[threadIdx.x % layers.count];
    int r = threadIdx.x >> 1;
    y[threadIdx.x] = r < chosen->rows ? row(chosen, x, r) : -1;
}
__global__ void const_cast_away(const __grid_constant__ Layers layers, float* y) {
    Layers* changed = const_cast<Layers*>(&layers);
    asm volatile("st.u32 [%0], %1;" : : "l"(changed), "r"((int) y[0]));
}
