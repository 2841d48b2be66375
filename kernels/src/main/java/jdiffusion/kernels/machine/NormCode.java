package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.COUNT;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

/**
 * Pixels of a normed image, activated and rounded, as machine code with AVX512_BF16: COUNT pixels of 32 N channels from
 * A on become words from C on. At B lie three numbers for each channel, STRIDE bytes apart: what is added, what the sum
 * is multiplied by, and what is added then.
 */
record NormCode(ActivationCode activation) {
    private static final Vec LOW = Vec.zmm(0);
    private static final Vec HIGH = Vec.zmm(1);
    private static final int BYTES = LOW.bytes();
    private static final Gpr PIXELS_LEFT = RAX;
    private static final Gpr APART = R10;
    private static final Gpr CHANNEL = R11;
    private static final Gpr LEFT = B_OFFSET;

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(PIXELS_LEFT, COUNT);
        x.mov(APART, STRIDE);
        activation.constants(x, CHANNEL);
        Label pixel = new Label();
        x.bind(pixel);
        x.mov(CHANNEL, B);
        x.mov(LEFT, N);
        Label channels = new Label();
        x.bind(channels);
        vector(x, LOW, 0);
        vector(x, HIGH, BYTES);
        x.vcvtne2ps2bf16(LOW, HIGH, LOW);
        x.vmovups(Mem.at(C), LOW);
        x.add(A, 2 * BYTES);
        x.add(C, BYTES);
        x.add(CHANNEL, 2 * BYTES);
        x.sub(LEFT, 1);
        x.jne(channels);
        x.sub(PIXELS_LEFT, 1);
        x.jne(pixel);
        x.vzeroupper();
        x.ret();
    }

    private void vector(Assembler x, Vec value, int at) {
        x.vmovups(value, Mem.at(A, at));
        x.vaddps(value, value, Mem.at(CHANNEL, at));
        x.vmulps(value, value, Mem.at(CHANNEL, APART, 1).plus(at));
        x.vaddps(value, value, Mem.at(CHANNEL, APART, 2).plus(at));
        activation.apply(x, value);
    }
}
