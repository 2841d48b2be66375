package jdiffusion.model.bench;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;

/** Times of runs, and on how many cores they ran. */
final class Stopwatch {
    private static final double NANO = 1e-9;
    private static final com.sun.management.OperatingSystemMXBean SYSTEM =
            ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class);

    private final Backend backend;
    private final List<Double> seconds = new ArrayList<>();
    private final List<Double> peaks = new ArrayList<>();
    private double sum;
    private double cpuSum;

    Stopwatch(Backend backend) {
        this.backend = backend;
    }

    /** Measures the peak and then work that does the same {@code times} times. */
    void run(int times, Runnable work) {
        peaks.add(backend.measurePeak());
        long cpu = SYSTEM.getProcessCpuTime();
        double taken = seconds(backend, work);
        cpuSum += (SYSTEM.getProcessCpuTime() - cpu) * NANO;
        sum += taken;
        seconds.add(taken / times);
    }

    /** The time until all that the work gave the device to do is done. */
    static double seconds(Backend backend, Runnable work) {
        backend.finish();
        long start = System.nanoTime();
        work.run();
        backend.finish();
        return (System.nanoTime() - start) * NANO;
    }

    List<Double> seconds() {
        return seconds;
    }

    List<Double> peaks() {
        return peaks;
    }

    /** CPU time of this process for each second of the runs. */
    double cores() {
        return cpuSum / sum;
    }
}
