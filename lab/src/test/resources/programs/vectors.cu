__global__ void vectors(const float4* x, const uchar4* c, float4* y) {
    float4 v = x[threadIdx.x]; uchar4 u = c[threadIdx.x];
    y[threadIdx.x] = make_float4(v.w + u.x, v.z - u.y, v.y * u.z, v.x / (1 + u.w));
}
