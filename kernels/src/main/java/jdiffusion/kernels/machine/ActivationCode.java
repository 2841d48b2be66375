package jdiffusion.kernels.machine;

import jdiffusion.kernels.Activation;

/**
 * Activations of the form x / (1 + 2^t(x)), x times a sigmoid, and the larger of x and 0, on vectors in registers, with
 * AVX-512. Registers 16 to 29 are overwritten.
 */
record ActivationCode(Activation activation) {
    private static final Vec T = Vec.zmm(23);
    private static final Vec FRACTION = Vec.zmm(24);
    private static final Vec POWER = Vec.zmm(25);
    private static final Vec ONE = Vec.zmm(26);
    private static final Vec MOST = Vec.zmm(27);
    private static final Vec LINEAR = Vec.zmm(28);
    private static final Vec CUBIC = Vec.zmm(29);
    private static final Vec ZERO = Vec.zmm(29);
    private static final double LOG2_E = 1 / Math.log(2);

    /** Whether it has such a form; NONE needs no code. */
    static boolean has(Activation activation) {
        return switch (activation) {
            case NONE, SILU, GELU_TANH, QUICK_GELU, RELU -> true;
            case GELU_ERF -> false;
        };
    }

    /** t(x) = x (linear + cubic x^2). */
    private double linear() {
        return switch (activation) {
            case SILU -> -LOG2_E;
            case QUICK_GELU -> -1.702 * LOG2_E;
            case GELU_TANH -> -2 * Math.sqrt(2 / Math.PI) * LOG2_E;
            case NONE, GELU_ERF, RELU -> throw new IllegalArgumentException(activation + " is no sigmoid");
        };
    }

    /** Writes what {@link #apply} needs into its registers, by way of {@code scratch}. */
    void constants(Assembler x, Gpr scratch) {
        if (activation == Activation.NONE) {
            return;
        }
        if (activation == Activation.RELU) {
            AttentionCode.broadcast(x, ZERO, scratch, 0);
            return;
        }
        AttentionCode.powers(x, scratch);
        AttentionCode.broadcast(x, ONE, scratch, 1);
        AttentionCode.broadcast(x, MOST, scratch, -AttentionCode.LEAST);
        AttentionCode.broadcast(x, LINEAR, scratch, (float) linear());
        if (activation == Activation.GELU_TANH) {
            AttentionCode.broadcast(x, CUBIC, scratch, (float) (0.044715 * linear()));
        }
    }

    /** N vectors of 16 numbers from A on, not none, in their place. */
    void array(Assembler x) {
        Vec value = Vec.zmm(0);
        x.add(MachineFunction.A, MachineFunction.A_OFFSET);
        x.mov(Gpr.RAX, MachineFunction.N);
        constants(x, Gpr.RCX);
        Label loop = new Label();
        x.bind(loop);
        x.vmovups(value, Mem.at(MachineFunction.A));
        apply(x, value);
        x.vmovups(Mem.at(MachineFunction.A), value);
        x.add(MachineFunction.A, value.bytes());
        x.sub(Gpr.RAX, 1);
        x.jne(loop);
        x.vzeroupper();
        x.ret();
    }

    void apply(Assembler x, Vec value) {
        if (activation == Activation.NONE) {
            return;
        }
        if (activation == Activation.RELU) {
            // Of two zeros, and where one is no number, the instruction takes the second.
            x.vmaxps(value, ZERO, value);
            return;
        }
        if (activation == Activation.GELU_TANH) {
            x.vmulps(T, value, value);
            x.vfmadd213ps(T, CUBIC, LINEAR);
            x.vmulps(T, T, value);
        } else {
            x.vmulps(T, value, LINEAR);
        }
        x.vminps(T, MOST, T);
        x.vmaxps(T, AttentionCode.least(), T);
        AttentionCode.power(x, T, FRACTION, POWER);
        x.vscalefps(POWER, POWER, T);
        x.vaddps(POWER, POWER, ONE);
        x.vdivps(value, value, POWER);
    }
}
