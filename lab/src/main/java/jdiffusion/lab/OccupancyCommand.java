package jdiffusion.lab;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import jdiffusion.emulator.Multiprocessor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kernel occupancy}: how many blocks a multiprocessor holds at once. */
@Command(name = "occupancy", mixinStandardHelpOptions = true,
        header = "Say how many blocks of a kernel a multiprocessor holds at once, and what the limit is.",
        description = "Registers and shared memory are those that 'ptxas -v' prints; more blocks hide more of the time"
            + " that loads take.",
        footerHeading = "%nExample:%n",
        footer = {"  jdiffusion kernel occupancy --block 256 --registers 72 --shared 24576"})
final class OccupancyCommand implements Callable<Integer> {
    private static final int MOST_THREADS = 1024;
    private static final int MOST_REGISTERS = 255;

    @Option(names = "--block", paramLabel = "N", required = true, description = "Threads of a block.")
    private int block;

    @Option(names = "--registers", paramLabel = "N", required = true, description = "Registers of a thread.")
    private int registers;

    @Option(names = "--shared", paramLabel = "BYTES", defaultValue = "0",
            description = "Shared memory of a block, static and dynamic. Default: 0.")
    private int shared;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        check("--block", block, 1, MOST_THREADS);
        check("--registers", registers, 1, MOST_REGISTERS);
        check("--shared", shared, 0, Integer.MAX_VALUE);
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%-8s %7s %7s %10s  %s%n", "", "blocks", "warps", "of threads", "limit");
        for (Multiprocessor card : Multiprocessor.values()) {
            Map<String, Integer> limits = new LinkedHashMap<>(card.limits(block, registers, shared));
            int blocks = limits.values().stream().min(Integer::compare).orElseThrow();
            String limit = String.join(", ", limits.entrySet().stream().filter(e -> e.getValue() == blocks)
                    .map(Map.Entry::getKey).toList());
            int warps = blocks * Math.ceilDiv(block, Multiprocessor.WARP);
            out.printf("%-8s %7d %7d %8d %%  %s%n", card.label(), blocks, warps,
                    Math.round(100.0 * warps * Multiprocessor.WARP / card.threads()),
                    blocks == 0 ? "does not fit: " + limit : limit);
        }
        out.flush();
        return 0;
    }

    private static void check(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw LabException.misuse(option + " is " + value + "; give " + least + " to " + most);
        }
    }
}
