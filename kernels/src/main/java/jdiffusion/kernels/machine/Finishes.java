package jdiffusion.kernels.machine;

import java.util.function.BiFunction;
import jdiffusion.kernels.Activation;

/** Functions that bring sums into the output, one for each way and activation, made when first needed. */
final class Finishes implements AutoCloseable {
    private final BiFunction<Into, ActivationCode, MachineCall> make;
    /** Fields of a call are final, so every thread that sees one sees it whole. */
    private final MachineCall[][] calls = new MachineCall[Into.values().length][Activation.values().length];

    Finishes(BiFunction<Into, ActivationCode, MachineCall> make) {
        this.make = make;
    }

    MachineCall of(Into into, Activation activation) {
        MachineCall made = calls[into.ordinal()][activation.ordinal()];
        return made != null ? made : make(into, activation);
    }

    private synchronized MachineCall make(Into into, Activation activation) {
        MachineCall made = calls[into.ordinal()][activation.ordinal()];
        if (made == null) {
            made = make.apply(into, new ActivationCode(activation));
            calls[into.ordinal()][activation.ordinal()] = made;
        }
        return made;
    }

    @Override
    public synchronized void close() {
        for (MachineCall[] ways : calls) {
            for (MachineCall call : ways) {
                if (call != null) {
                    call.close();
                }
            }
        }
    }
}
