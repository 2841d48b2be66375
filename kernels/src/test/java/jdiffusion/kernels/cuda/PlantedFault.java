package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

/** Kernels of which one lacks an instruction. */
public final class PlantedFault {
    private PlantedFault() {
    }

    /**
     * The program's kernels without one instruction.
     *
     * @param instruction how it begins
     * @param number      which of those in the kernel, from 0
     */
    public static KernelSource without(String file, String kernel, String instruction, int number) {
        return without(KernelSource.BUILT_IN, file, kernel, instruction, number);
    }

    /** Others without one instruction. */
    public static KernelSource without(KernelSource kernels, String file, String kernel, String instruction,
                                       int number) {
        return with(kernels, file, kernel, instruction, number, "");
    }

    /** Others with something in the place of one instruction. */
    public static KernelSource with(KernelSource kernels, String file, String kernel, String instruction, int number,
                                    String other) {
        String ptx = kernels.ptx(file);
        int at = ptx.indexOf(".visible .entry " + kernel + "(");
        for (int i = 0; i <= number; i++) {
            at = ptx.indexOf(instruction, at + 1);
        }
        assertThat(at).as(instruction + " of " + kernel).isPositive();
        String changed = ptx.substring(0, at) + other + ptx.substring(ptx.indexOf(';', at) + 1);
        assertThat(changed.substring(at)).doesNotStartWith(instruction);
        return name -> name.equals(file) ? changed : kernels.ptx(name);
    }
}
