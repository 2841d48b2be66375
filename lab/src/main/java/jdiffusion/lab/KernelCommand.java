package jdiffusion.lab;

import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code jdiffusion kernel}: the laboratory for CUDA kernels, on the emulated device. */
@Command(name = "kernel", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND",
        header = "Run, check, count and compare anybody's CUDA kernels without a GPU.",
        subcommands = {RunCommand.class, DiffCommand.class, ReportCommand.class, StepCommand.class, LearnCommand.class,
            OccupancyCommand.class})
public final class KernelCommand implements Runnable {
    private static final int FAILED = 1;
    private static final int MISUSE = 2;

    @Spec
    private CommandSpec spec;

    /** The laboratory as a program of its own, without models. */
    public static void main(String[] args) {
        System.exit(run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), args));
    }

    /**
     * Runs one command line.
     *
     * @return 0, 1 when a kernel is wrong, 2 when the input is
     */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        return new CommandLine(new KernelCommand()).setOut(out).setErr(err)
                .setExecutionExceptionHandler((e, _, _) -> {
                    boolean lab = e instanceof LabException;
                    err.println("kernel: " + (lab ? e.getMessage().replaceAll("\\R+", " ") : "unexpected " + e));
                    return e instanceof LabException known && known.isMisuse() ? MISUSE : FAILED;
                })
                .setParameterExceptionHandler((e, _) -> {
                    err.println("kernel: " + e.getMessage() + "; see " + e.getCommandLine().getCommandSpec()
                            .qualifiedName() + " --help");
                    return MISUSE;
                }).execute(args);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: "
                + String.join(", ", spec.subcommands().keySet()));
    }
}
