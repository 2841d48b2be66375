package jdiffusion.lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.Reader;
import java.io.StringReader;
import java.nio.charset.Charset;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kernel step}: runs a warp instruction by instruction. */
@Command(name = "step", mixinStandardHelpOptions = true,
        header = "Step through a kernel: a warp's instructions, a lane's registers, shared and global memory.",
        description = "Commands come from the terminal, from standard input or from --commands; 'help' lists them."
                + " Blocks run one after the other. Only the warp that is looked at stops.",
        footerHeading = "%nExample:%n", footer = {
            "  jdiffusion kernel step saxpy.cu \\",
            "      --launch \"saxpy<<<64,256>>>(16384, 2.0, rand(16384), y=zeros(16384))\" \\",
            "      --commands \"next 2; regs 3; continue; mem y 0 8\""})
final class StepCommand implements Callable<Integer> {
    @Mixin
    private LaunchOptions options;

    @Option(names = "--commands", paramLabel = "TEXT", description = "What to do, separated by semicolons; the first"
            + " that cannot be done ends the run with an error.")
    private String commands;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<Launch> launches = options.parsed();
        LabProgram program = options.program().forSteps();
        // A person takes their time.
        options.timeLimit = Integer.MAX_VALUE;
        options.threads = 1;
        PrintWriter out = spec.commandLine().getOut();
        Reader reader = commands != null ? new StringReader(commands)
                : new InputStreamReader(System.in, Charset.defaultCharset());
        try (var lines = new BufferedReader(reader)) {
            var stepper = new Stepper(SourceMap.of(program), lines, commands != null,
                    commands == null && System.console() != null, out);
            while (run(program, launches, stepper, out)) {
                out.println("from the start");
            }
        } catch (IOException e) {
            throw LabException.misuse("commands cannot be read (" + e.getMessage() + ")", e);
        } finally {
            out.flush();
        }
        return 0;
    }

    /** Runs the launches; true when they are to run again. */
    private boolean run(LabProgram program, List<Launch> launches, Stepper stepper, PrintWriter out) {
        try (Session session = options.session(program, false, out::print)) {
            session.executor().watcher(stepper);
            LabException fault = null;
            try {
                for (Launch launch : launches) {
                    stepper.begin(session, launch);
                    session.run(launch);
                }
                out.println("all launches are done");
            } catch (LabException e) {
                if (e.isMisuse()) {
                    throw e;
                }
                fault = e;
                out.println(e.getMessage());
            }
            boolean again = stepper.end();
            if (fault != null && !again) {
                throw fault;
            }
            return again;
        } catch (Stepper.Ended e) {
            return e.again();
        }
    }
}
