package jdiffusion.emulator.exec;

/** Arithmetic of float32 on float16 and bfloat16, of which the first operands are, each widened first. */
final class MixedOps {
    private MixedOps() {}

    @Ptx(value = "add.f32.f16", operands = "f16 f32", result = "f32")
    static float addF16(int a, float c) {
        return HalfOps.f16(a) + c;
    }

    @Ptx(value = "sub.f32.f16", operands = "f16 f32", result = "f32")
    static float subF16(int a, float c) {
        return HalfOps.f16(a) - c;
    }

    @Ptx(value = "fma.f32.f16", operands = "f16 f16 f32", result = "f32")
    static float fmaF16(int a, int b, float c) {
        return Math.fma(HalfOps.f16(a), HalfOps.f16(b), c);
    }

    @Ptx(value = "add.f32.bf16", operands = "bf16 f32", result = "f32")
    static float addBf16(int a, float c) {
        return HalfOps.bf16(a) + c;
    }

    @Ptx(value = "sub.f32.bf16", operands = "bf16 f32", result = "f32")
    static float subBf16(int a, float c) {
        return HalfOps.bf16(a) - c;
    }

    @Ptx(value = "fma.f32.bf16", operands = "bf16 bf16 f32", result = "f32")
    static float fmaBf16(int a, int b, float c) {
        return Math.fma(HalfOps.bf16(a), HalfOps.bf16(b), c);
    }
}
