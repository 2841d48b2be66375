/* Bytes and halves of words, as video codecs and aligners of genomes use them. */
__global__ void simd(const unsigned* a, const unsigned* b, unsigned* y) {
    unsigned x = a[threadIdx.x], z = b[threadIdx.x];
    unsigned* o = y + threadIdx.x * 4;
    o[0] = __vsadu4(x, z);
    o[1] = __vabsdiffu4(x, z);
    o[2] = __dp2a_lo((int) x, (int) z, 5);
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, 7;" : "=r"(o[3]) : "r"((int) x >> 20), "r"((int) z >> 20));
}
