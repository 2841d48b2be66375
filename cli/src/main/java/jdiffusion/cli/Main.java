package jdiffusion.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import jdiffusion.kernels.DeviceException;
import jdiffusion.lab.KernelCommand;
import jdiffusion.lab.LabException;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line: {@code jdiffusion
 * generate|batch|stream|serve|plan|inspect|tokenizers|convert|quantize|synthesize|verify|bench|devices|sites|record|
 * patch|attend|compare|lens|sweep|kernel|completion|help}.
 */
@Command(name = "jdiffusion", mixinStandardHelpOptions = true, versionProvider = Version.class,
        header = "Draws pictures with Stable Diffusion, FLUX.1, AuraFlow and PixArt, in pure Java.",
        synopsisSubcommandLabel = "COMMAND",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion generate \"a red circle on a blue background\"",
            "  jdiffusion inspect models/shapes",
            "  jdiffusion help generate"})
public final class Main implements Runnable {
    /** All went well. */
    static final int OK = 0;
    /** The program itself failed, or a check that was asked for did not pass. */
    static final int FAILED = 1;
    /** What the user gave, or the device asked for, cannot be used. */
    static final int BAD_INPUT = 2;

    @Option(names = "--stacktrace", scope = ScopeType.INHERIT, description = "Show where in the code an error arose.")
    private boolean stacktrace;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    private static final List<String> COMMANDS = List.of("generate", "batch", "stream", "serve", "plan", "inspect",
            "tokenizers", "convert", "quantize", "synthesize", "verify", "bench", "devices", "sites", "record", "patch",
            "attend", "compare", "lens", "sweep", "kernel", "completion", "help");
    /** Those that print what the others are. */
    private static final Set<String> ABOUT_OTHERS = Set.of("completion", "help");

    private final PrintStream out;
    private final PrintStream err;
    private final Map<String, String> environment;
    /** Whether it is said why this does not go on. */
    private boolean failed;

    private Main(PrintStream out, PrintStream err, Map<String, String> environment) {
        this.out = out;
        this.err = err;
        this.environment = Map.copyOf(environment);
    }

    public static void main(String[] args) {
        String note = JavaNote.get();
        if (note != null) {
            System.err.println(note);
        }
        System.exit(run(args, new Results(new FileOutputStream(FileDescriptor.out), System.out.charset()),
                System.err, System.getenv()));
    }

    /**
     * Runs one command line.
     *
     * @param out results that another program may read
     * @param err everything meant for people, errors included
     * @param environment variables of the user, which say where programs keep what they downloaded
     * @return the exit code: 0, 1 for failures of the program or of a verification, 2 for bad input and for
     *         a device that fails or cannot be used
     */
    static int run(String[] args, Results out, PrintStream err, Map<String, String> environment) {
        Main main = new Main(out, err, environment);
        int code = main.execute(args);
        IOException lost = out.failure();
        return lost == null || main.failed ? code : main.fail(BAD_INPUT, "standard output: cannot be written ("
                + lost.getMessage() + "); make room, or write it to another place", lost);
    }

    private int execute(String[] args) {
        CommandLine commandLine = new CommandLine(this);
        for (String name : named(args)) {
            commandLine.addSubcommand(name, command(name));
        }
        // Of an option that is given twice the last counts, as everywhere else.
        commandLine.registerConverter(Path.class, Main::path).setExpandAtFiles(false).setOverwrittenOptionsAllowed(true)
                .setAllowOptionsAsOptionParameters(true)
                .setOut(new java.io.PrintWriter(out, true))
                .setErr(new java.io.PrintWriter(err, true))
                .setParameterExceptionHandler((e, _) -> misuse(e))
                .setExecutionExceptionHandler((e, _, _) -> failure(e));
        try {
            CommandLine first = args.length == 0 ? null : commandLine.getSubcommands().get(args[0]);
            return commandLine.execute(first == null ? args : Arguments.of(args, first.getCommandSpec()));
        } catch (ParameterException e) {
            return misuse(e);
        } catch (OutOfMemoryError e) {
            return fail(FAILED, "out of memory (" + e.getMessage() + "); ask for a smaller picture", e);
        } catch (InternalError e) {
            return fail(BAD_INPUT, "a file became shorter, or its disk failed, while it was read ("
                    + e.getMessage() + "); run again when nothing writes to it", e);
        } catch (StackOverflowError e) {
            return fail(FAILED, "unexpected " + e + "; --stacktrace shows more", e);
        }
    }

    /** An empty name would be that of the working folder. */
    private static Path path(String text) {
        if (text.isBlank()) {
            throw new TypeConversionException("'" + text + "' is no file name");
        }
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new TypeConversionException("'" + InputException.shown(text) + "' is no file name");
        }
    }

    /** The command that comes first, alone, since it takes long to find the options of all; else all commands. */
    private static List<String> named(String[] args) {
        return args.length > 0 && COMMANDS.contains(args[0]) && !ABOUT_OTHERS.contains(args[0])
                ? List.of(args[0]) : COMMANDS;
    }

    static Object command(String name) {
        return switch (name) {
            case "generate" -> new GenerateCommand();
            case "batch" -> new BatchCommand();
            case "stream" -> new StreamCommand();
            case "serve" -> new ServeCommand();
            case "plan" -> new PlanCommand();
            case "inspect" -> new InspectCommand();
            case "tokenizers" -> new TokenizersCommand();
            case "convert" -> new ConvertCommand();
            case "quantize" -> new QuantizeCommand();
            case "synthesize" -> new SynthesizeCommand();
            case "verify" -> new VerifyCommand();
            case "bench" -> new BenchCommand();
            case "devices" -> new DevicesCommand();
            case "sites" -> new SitesCommand();
            case "record" -> new RecordCommand();
            case "patch" -> new PatchCommand();
            case "compare" -> new CompareCommand();
            case "lens" -> new LensCommand();
            case "attend" -> new AttendCommand();
            case "sweep" -> new SweepCommand();
            case "kernel" -> new KernelCommand();
            case "completion" -> new CompletionCommand();
            default -> new CommandLine.HelpCommand();
        };
    }

    /** For results that another program may read. */
    PrintStream out() {
        return out;
    }

    /** For everything meant for people. */
    PrintStream err() {
        return err;
    }

    Map<String, String> environment() {
        return environment;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: generate, batch, stream, serve, plan,"
                + " inspect, tokenizers, convert, quantize, synthesize, verify, bench, devices, sites, record,"
                + " patch, attend, compare, lens, sweep, kernel, completion or help");
    }

    private int misuse(ParameterException e) {
        // The types are Java's.
        String message = e.getMessage().replaceFirst("' is not an? (int|long)$", "' is not a whole number that fits")
                .replaceFirst("' is not a (float|double)$", "' is not a number").replaceFirst("\\.$", "");
        return fail(BAD_INPUT, message + (e instanceof UnmatchedArgumentException unmatched ? hint(unmatched) : "")
                + "; see " + e.getCommandLine().getCommandSpec().qualifiedName() + " --help", e);
    }

    /** What was meant by words that fit nowhere. */
    private static String hint(UnmatchedArgumentException e) {
        CommandLine command = e.getCommandLine();
        String first = e.getUnmatched().getFirst();
        if (command.getCommandSpec().findOption(first) != null && first.startsWith("-")) {
            return "; behind -- all is text, so options stand before it";
        }
        List<String> near = e.getSuggestions();
        if (!near.isEmpty()) {
            return "; is " + near.getFirst() + " meant?";
        }
        return command.getCommandName().equals("generate") && !first.startsWith("-") ? "; put the prompt in quotes" : "";
    }

    private int failure(Exception e) {
        return switch (e) {
            case InputException _, DeviceException _ -> fail(BAD_INPUT, e.getMessage(), e);
            case LabException lab -> fail(lab.isMisuse() ? BAD_INPUT : FAILED, lab.getMessage(), lab);
            case ParameterException misuse -> misuse(misuse);
            case CancellationException _ -> fail(FAILED, e.getMessage(), e);
            default -> fail(FAILED, "unexpected " + e + (stacktrace ? "" : "; --stacktrace shows more"), e);
        };
    }

    private int fail(int code, String message, Throwable e) {
        failed = true;
        err.println("jdiffusion: " + message.replaceAll("\\R+", " "));
        if (stacktrace) {
            e.printStackTrace(err);
        }
        return code;
    }
}
