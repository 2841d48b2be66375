package jdiffusion.lab;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import jdiffusion.emulator.EmulatorOptions;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What is run, and how: options of all commands that launch kernels. */
final class LaunchOptions {
    @Parameters(index = "0", paramLabel = "FILE", description = "Kernels: a .ptx, or a .cu where nvcc, NVRTC or clang"
            + " is installed.")
    Path file;

    @Option(names = "--launch", required = true, paramLabel = "LAUNCH", description = "What to launch, such as"
            + " 'saxpy<<<64,256>>>(16384, 2.0, in:x.npy, inout:y=zeros(16384))'; several are run in order, and arrays"
            + " of earlier ones are spoken of by their names.")
    List<String> launches = new ArrayList<>();

    @Option(names = "--check", negatable = true, defaultValue = "true", fallbackValue = "true",
            description = "Find races in shared memory, copies that are not waited for, divergent barriers and what"
                    + " was never written. On unless --no-check is given.")
    boolean check;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Numbers of rand(), and the order in"
            + " which warps run.")
    long seed;

    @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU to run blocks on. Default: all.")
    Integer threads;

    @Option(names = "--time-limit", paramLabel = "SECONDS", defaultValue = "300", description = "Of each launch, for"
            + " kernels that wait for what never comes. Default: 300.")
    int timeLimit;

    @Option(names = "--arch", paramLabel = "SM", defaultValue = "sm_80", description = "What a .cu is compiled for."
            + " Default: sm_80.")
    String architecture;

    @Option(names = "--compiler-option", paramLabel = "OPTION", description = "An option for the compiler of a .cu,"
            + " such as -I. or -DN=4.")
    List<String> compilerOptions = new ArrayList<>();

    LabProgram program() {
        return program(file);
    }

    LabProgram program(Path other) {
        return LabProgram.load(other, architecture, compilerOptions);
    }

    /**
     * A session for the launches, whose kernels are translated now: before the first one runs, all are known to be fit.
     *
     * @param out gets what kernels print
     */
    Session session(LabProgram program, boolean profile, Consumer<String> out) {
        parsed().forEach(launch -> program.translated(program.kernel(launch.kernel())));
        Session session = new Session(program, emulator(profile), seed, timeLimit);
        session.executor().printer(out);
        return session;
    }

    List<Launch> parsed() {
        return launches.stream().map(LaunchParser::parse).toList();
    }

    private EmulatorOptions emulator(boolean profile) {
        if (threads != null && threads < 1) {
            throw LabException.misuse("--threads " + threads + ": at least 1 is needed");
        }
        if (timeLimit < 1) {
            throw LabException.misuse("--time-limit " + timeLimit + ": at least 1 second is needed");
        }
        EmulatorOptions options = EmulatorOptions.defaults().withCheck(check).withProfile(profile).withSeed(seed);
        return threads == null ? options : options.withThreads(threads);
    }
}
