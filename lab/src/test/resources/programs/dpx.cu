__global__ void dpx(const int* a, const int* b, int* y) {
    int i = threadIdx.x;
    int p = a[i] * 0x2f0f3b1d, q = b[i] * 0x51a0c92b, r = p ^ q << 11;
    bool low, high, larger;
    y += 12 * i;
    y[0] = __vimax3_s32(p, q, r);
    y[1] = __vimin3_u32(p, q, r);
    y[2] = __vimax3_s32_relu(p, q, -r);
    y[3] = __viaddmax_s32(p, q, r);
    y[4] = __viaddmax_s32_relu(p, -q, -r);
    y[5] = __viaddmin_u32(p, q, r);
    y[6] = __vimin3_s16x2(p, q, r);
    y[7] = __viaddmax_s16x2_relu(p, q, r);
    y[8] = __vimax_s32_relu(-p, q);
    y[9] = __vibmax_u16x2(p, r, &high, &low);
    y[9] ^= high * 2 + low;
    y[10] = __vibmin_s32(r, q, &larger);
    y[10] ^= larger;
    y[11] = __viaddmin_s16x2(r, p, q);
}
