package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The memory of this process. */
final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String PEAK = "VmHWM:";

    private ProcessMemory() {
    }

    /** The most that was resident at any time, in bytes; 0 where the system does not say. */
    static long peakBytes() {
        return peakBytes(STATUS);
    }

    /** The same, where Linux's file of a process's state is another. */
    static long peakBytes(Path status) {
        try {
            return Files.readAllLines(status).stream().filter(line -> line.startsWith(PEAK))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElse(0);
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }
}
