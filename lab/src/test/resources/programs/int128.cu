__global__ void int128(const long long* a, const long long* b, unsigned* y) {
    int i = threadIdx.x;
    __int128 p = (((__int128) a[i] - 50 << 64) | (unsigned long long) b[i] * 0x9e3779b97f4a7c15ull) ^ a[i];
    __int128 q = ((__int128) b[i] << 37) - a[i];
    unsigned __int128 u = (unsigned __int128) p;
    __int128 r[7] = {p + q, p - q, p * q, p / (q | 1), (__int128) (u / ((unsigned __int128) b[i] + 3)),
        p >> (a[i] & 127) ^ q << (b[i] & 127), p < q ? p : -q};
    for (int k = 0; k < 28; k++) {
        y[i * 28 + k] = (unsigned) (r[k / 4] >> k % 4 * 32);
    }
}
