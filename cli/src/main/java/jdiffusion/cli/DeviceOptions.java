package jdiffusion.cli;

import java.io.PrintStream;
import java.nio.file.Path;
import jdiffusion.model.device.DeviceChoice;
import jdiffusion.model.device.Devices;
import picocli.CommandLine.Option;

/** Where to compute, and how; see {@link Devices#open}. */
final class DeviceOptions {
    @Option(names = "--device", paramLabel = "NAME", defaultValue = "auto",
            description = "auto, cpu, cuda, cuda:N or emulated; see 'jdiffusion devices'. auto takes cuda where it"
                + " works, else cpu. generate and plan take two, like cuda:0,cuda:1, for the predictions with and"
                + " without the prompt: the same picture.")
    String device;

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads. Default: all cores.")
    Integer threads;

    @Option(names = "--cpu", paramLabel = "LEVEL",
            description = "Instructions of matrix products on the CPU: amx, avx512bf16, avx512, avx2 or vector."
                + " Default: the first of these that the CPU has; see 'jdiffusion devices'.")
    String cpu;

    @Option(names = "--kernels", paramLabel = "DIR",
            description = "Compile and use the CUDA sources in DIR in place of the built-in ones of the same name.")
    Path kernels;

    @Option(names = "--gemm", paramLabel = "NAME", defaultValue = "own",
            description = "Matrix products on cuda: own or cublas. Default: ${DEFAULT-VALUE}.")
    String gemm;

    @Option(names = "--conv", paramLabel = "NAME", defaultValue = "own",
            description = "Convolutions on cuda: own or cudnn. Default: ${DEFAULT-VALUE}.")
    String conv;

    @Option(names = "--emulator-check",
            description = "On the emulated device: report shared-memory races, copies used before they are waited for,"
                + " reads of uninitialised shared memory and divergent barriers.")
    boolean check;

    @Option(names = "--emulator-profile",
            description = "On the emulated device: print what each kernel did, and what that would take on real"
                + " cards; with --json in the JSON.")
    boolean profile;

    @Option(names = "--emulator-report", paramLabel = "FILE",
            description = "On the emulated device: write a page about all kernels that ran, as 'jdiffusion kernel"
                + " report' does: the cost of each line of CUDA and of PTX, sectors, bank conflicts and what mends them,"
                + " divergence.")
    Path report;

    @Option(names = "--emulator-seed", paramLabel = "N", defaultValue = "0",
            description = "On the emulated device: varies the order in which warps run, and when copies to shared"
                + " memory land.")
    long seed;

    @Option(names = "--emulator-memory", paramLabel = "SIZE", converter = ByteSize.class,
            description = "On the emulated device: how much memory it has, like 512MiB. Default: 8GiB.")
    Long memory;

    @Option(names = "--emulator-capability", paramLabel = "X.Y",
            description = "On the emulated device: its compute capability, 8.0, 8.9 or 9.0. Default: 8.0.")
    String capability;

    DeviceChoice choice() {
        return new DeviceChoice(device, threads, cpu, kernels, gemm, conv, check, profile || report != null, seed,
                memory, capability);
    }

    /**
     * What tells of the device at the end, whether the run succeeds or fails.
     *
     * @param run what the user ran
     * @param out gets the profile where one is asked for, and the page's name; null for nowhere
     */
    DeviceAccount account(Devices.Opened opened, String run, PrintStream out) {
        return new DeviceAccount(opened, run, out, profile, report);
    }
}
