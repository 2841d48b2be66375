package jdiffusion.lab;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kernel report}: what launches did, as a page. */
@Command(name = "report", mixinStandardHelpOptions = true,
        header = "Write a page about kernels: source and PTX with their cost, memory, limits of cards, faults.",
        description = "One file that needs no network. The numbers are counts, not times, and the same on every"
                + " machine. For the kernels of a run of jdiffusion itself, give that --device emulated"
                + " --emulator-report FILE.",
        footerHeading = "%nExample:%n", footer = {
            "  jdiffusion kernel report saxpy.cu -o report.html \\",
            "      --launch \"saxpy<<<64,256>>>(16384, 2.0, rand(16384), zeros(16384))\""})
final class ReportCommand implements Callable<Integer> {
    @Mixin
    private LaunchOptions options;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", defaultValue = "report.html",
            description = "The page. Default: report.html.")
    private Path output;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<Launch> launches = options.parsed();
        LabProgram program = options.program();
        ReportPage page = new ReportPage(program.file().getFileName().toString(),
                launches.stream().map(Launch::text).toList(), options.check);
        PtxPlaces places = new LineInfo(program.file(), program.ptx());
        LabException fault = null;
        try (Session session = options.session(program, true, spec.commandLine().getOut()::print)) {
            try {
                launches.forEach(session::run);
            } catch (LabException e) {
                if (e.isMisuse()) {
                    throw e;
                }
                fault = e;
                page.fault(e.getMessage());
            }
            session.counters().values().forEach(kernel -> page.add(kernel, places));
        }
        page.write(output);
        spec.commandLine().getOut().println("wrote " + output);
        spec.commandLine().getOut().flush();
        if (fault != null) {
            throw fault;
        }
        return 0;
    }
}
