package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RBX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.Gpr.RDX;

import java.lang.foreign.MemorySegment;

/**
 * What this CPU can do and its operating system lets it (Intel's manual, volume 2, CPUID and XGETBV).
 *
 * @param avx2       AVX2 and fused multiply-add
 * @param avx512     AVX-512 F, DQ, BW and VL
 * @param avx512bf16 AVX512_BF16
 * @param amx        AMX-TILE and AMX-BF16, and avx512bf16
 */
record CpuFeatures(boolean avx2, boolean avx512, boolean avx512bf16, boolean amx) {
    /** States that the system saves: SSE and AVX; masks and both parts of the wide registers; tiles with shapes. */
    private static final int AVX_STATE = 0x6;
    private static final int AVX512_STATE = 0xe6;
    private static final int TILE_STATE = 0x60000;

    static CpuFeatures probe() {
        int[] r = new int[4];
        try (MachineFunction cpuid = new MachineFunction(CpuFeatures::cpuid);
             MachineFunction xgetbv = new MachineFunction(CpuFeatures::xgetbv)) {
            read(cpuid, r, 0, 0);
            int leaves = r[0];
            read(cpuid, r, 1, 0);
            boolean fma = has(r[2], 12);
            boolean avx = has(r[2], 28);
            boolean saves = has(r[2], 27);
            if (!avx || !saves || leaves < 7) {
                return new CpuFeatures(false, false, false, false);
            }
            read(xgetbv, r, 0, 0);
            int state = r[0];
            read(cpuid, r, 7, 0);
            boolean more = r[0] >= 1;
            boolean avx2 = fma && has(r[1], 5) && (state & AVX_STATE) == AVX_STATE;
            boolean avx512 = avx2 && has(r[1], 16) && has(r[1], 17) && has(r[1], 30) && has(r[1], 31)
                    && (state & AVX512_STATE) == AVX512_STATE;
            boolean tiles = has(r[3], 22) && has(r[3], 24) && (state & TILE_STATE) == TILE_STATE;
            read(cpuid, r, 7, 1);
            boolean avx512bf16 = avx512 && more && has(r[0], 5);
            return new CpuFeatures(avx2, avx512, avx512bf16, avx512bf16 && tiles);
        }
    }

    private static boolean has(int register, int bit) {
        return (register >> bit & 1) != 0;
    }

    private static void read(MachineFunction function, int[] to, long leaf, long part) {
        MemorySegment registers = MemorySegment.ofArray(to);
        function.call(registers, 0, MemorySegment.NULL, 0, MemorySegment.NULL, 0, leaf, part, 0);
    }

    /** Writes EAX, EBX, ECX and EDX of leaf N, part STRIDE, to A. */
    private static void cpuid(Assembler x) {
        x.add(MachineFunction.A, MachineFunction.A_OFFSET);
        x.mov(RAX, MachineFunction.N);
        x.mov(RCX, MachineFunction.STRIDE);
        x.push(RBX);
        x.cpuid();
        x.movd(Mem.at(MachineFunction.A), RAX);
        x.movd(Mem.at(MachineFunction.A, 4), RBX);
        x.movd(Mem.at(MachineFunction.A, 8), RCX);
        x.movd(Mem.at(MachineFunction.A, 12), RDX);
        x.pop(RBX);
        x.ret();
    }

    /** Writes EAX and EDX of XCR0 to A. */
    private static void xgetbv(Assembler x) {
        x.add(MachineFunction.A, MachineFunction.A_OFFSET);
        x.mov(RCX, 0);
        x.xgetbv();
        x.movd(Mem.at(MachineFunction.A), RAX);
        x.movd(Mem.at(MachineFunction.A, 4), RDX);
        x.ret();
    }
}
