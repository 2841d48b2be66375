package jdiffusion.cli;

import java.util.Locale;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.tensor.InputException;

/** Turns {@code --device}, {@code --precision} and {@code --threads} into a backend; what is asked for or nothing. */
final class Devices {
    private static final int MOST_THREADS = 1024;

    private Devices() {
    }

    /**
     * @param device  auto or cpu
     * @param threads null for one on each core
     */
    static Backend open(String device, Precision precision, Integer threads) {
        int count = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
        if (count < 1 || count > MOST_THREADS) {
            throw new InputException("--threads is " + count + "; use 1 to " + MOST_THREADS);
        }
        return switch (device.toLowerCase(Locale.ROOT)) {
            case "auto", "cpu" -> new CpuBackend(count, precision);
            case "cuda" -> throw new InputException("--device cuda: this build has no CUDA backend; use --device cpu");
            default -> throw new InputException("--device " + device + " is unknown; use auto or cpu");
        };
    }

    static Precision precision(String label) {
        return switch (label.toLowerCase(Locale.ROOT)) {
            case "f32" -> Precision.F32;
            case "bf16" -> Precision.BF16;
            default -> throw new InputException("precision '" + label + "' is unknown; use f32 or bf16");
        };
    }

    static String label(Precision precision) {
        return precision.name().toLowerCase(Locale.ROOT);
    }
}
