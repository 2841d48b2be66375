package jdiffusion.lab;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.InstructionClass;

/** What is counted of a kernel, under names for the command line; more is worse of all but the first. */
enum Metric {
    MMA_FLOPS("floating-point operations of the tensor cores", KernelCounters::mmaFlops),
    INSTRUCTIONS("instructions of warps", KernelCounters::instructions),
    FLOAT("of them floating point", c -> c.instructions(InstructionClass.FLOAT)),
    INTEGER("of them integer", c -> c.instructions(InstructionClass.INTEGER)),
    CONTROL("of them branches and the like", c -> c.instructions(InstructionClass.CONTROL)),
    DIVERGENT("branches at which lanes of a warp parted", KernelCounters::partings),
    BARRIERS("of them barriers", c -> c.instructions(InstructionClass.BARRIER)),
    REQUESTS("requests to global memory", c -> c.traffic().globalRequests),
    SECTORS("32-byte sectors that these touch", c -> c.traffic().globalSectors),
    IDEAL_SECTORS("sectors if their bytes lay together", c -> c.traffic().globalIdealSectors),
    BYTES_READ("bytes read from global memory", c -> c.traffic().globalBytesRead),
    BYTES_WRITTEN("bytes written to global memory", c -> c.traffic().globalBytesWritten),
    SHARED_REQUESTS("requests to shared memory", c -> c.traffic().sharedRequests),
    CONFLICTS("cycles that bank conflicts add to these", c -> c.traffic().sharedConflictCycles),
    WAVEFRONTS("cycles that shared memory serves them, conflicts included", c -> c.traffic().sharedWavefronts);

    private final String meaning;
    private final ToLongFunction<KernelCounters> value;

    Metric(String meaning, ToLongFunction<KernelCounters> value) {
        this.meaning = meaning;
        this.value = value;
    }

    String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    String meaning() {
        return meaning;
    }

    long of(KernelCounters counters) {
        return value.applyAsLong(counters);
    }

    static Metric named(String label) {
        return Arrays.stream(values()).filter(metric -> metric.label().equals(label)).findFirst().orElseThrow(() ->
                LabException.misuse("there is no counter '" + label + "'; there are " + Arrays.stream(values())
                        .map(Metric::label).collect(Collectors.joining(", "))));
    }
}
