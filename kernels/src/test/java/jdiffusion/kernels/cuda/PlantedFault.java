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
        String ptx = KernelSource.BUILT_IN.ptx(file);
        int at = ptx.indexOf(".visible .entry " + kernel + "(");
        for (int i = 0; i <= number; i++) {
            at = ptx.indexOf(instruction, at + 1);
        }
        assertThat(at).as(instruction + " of " + kernel).isPositive();
        String without = ptx.substring(0, at) + ptx.substring(ptx.indexOf(';', at) + 1);
        assertThat(without.substring(at)).doesNotStartWith(instruction);
        return name -> name.equals(file) ? without : KernelSource.BUILT_IN.ptx(name);
    }
}
