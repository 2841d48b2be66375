package jdiffusion.lab;

import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelListing;
import jdiffusion.emulator.ProfileReport;
import jdiffusion.lab.Session.Bound;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kernel run}: launches kernels, checks them and compares what they give. */
@Command(name = "run", mixinStandardHelpOptions = true,
        header = "Run kernels without a GPU, find races and compare results.",
        footerHeading = "%nExample:%n", footer = {
            "  jdiffusion kernel run saxpy.cu --expect y=e.npy \\",
            "      --launch \"saxpy<<<64,256>>>(16384, 2.0, in:x.npy, inout:y.npy)\""})
final class RunCommand implements Callable<Integer> {
    private static final int SHOWN = 8;

    @Mixin
    private LaunchOptions options;

    @Option(names = "--expect", paramLabel = "[NAME=]FILE", description = "What an array should hold after the last"
            + " launch, as npy; the name may be left out where one array is written.")
    private List<String> expected = new ArrayList<>();

    @Option(names = "--tolerance", paramLabel = "T", defaultValue = "1e-5", description = "By how much an element may"
            + " be off: T * max(1, |expected|). Default: 1e-5.")
    private double tolerance;

    @Option(names = "--save", paramLabel = "NAME=FILE", description = "Write an array, as it is after the last launch,"
            + " to an npy file.")
    private Map<String, Path> saved = new LinkedHashMap<>();

    @Option(names = "--profile", description = "Print what each kernel did, and each of its instructions.")
    private boolean profile;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<Launch> launches = options.parsed();
        LabProgram program = options.program();
        try (Session session = options.session(program, profile, out::print)) {
            for (Launch launch : launches) {
                session.run(launch);
                out.printf("%s<<<%s,%s,%d%s>>>: done%s%n", launch.kernel(), launch.grid(), launch.block(),
                        launch.shared(), launch.cluster() == null ? "" : ",cluster=" + launch.cluster(),
                        options.check ? ", no fault found" : "");
            }
            session.arrays().values().stream().filter(a -> a.direction() != Argument.Direction.IN)
                    .forEach(a -> out.println(describe(a)));
            if (profile) {
                out.println();
                out.print(ProfileReport.of(session.counters().values()).text());
                for (KernelCounters counters : session.counters().values()) {
                    out.println();
                    out.print(KernelListing.text(counters));
                }
            }
            for (Map.Entry<String, Path> entry : saved.entrySet()) {
                Npy.write(entry.getValue(), array(session, entry.getKey(), "--save").now());
            }
            compare(session, out);
            out.flush();
        }
        return 0;
    }

    private static String describe(Bound bound) {
        HostArray array = bound.now();
        String first = LongStream.range(0, Math.min(SHOWN, array.count()))
                .mapToObj(i -> String.format(Locale.ROOT, array.type().isFloat() ? "%.6g" : "%.0f", array.get(i)))
                .collect(Collectors.joining(" "));
        return "%s: %s %s%s: %s%s".formatted(bound.name(), array.type().label(), array.shapeText(),
                bound.isChanged() ? "" : ", unchanged", first, array.count() > SHOWN ? " ..." : "");
    }

    private static Bound array(Session session, String name, String option) {
        Bound bound = session.arrays().get(name);
        if (bound == null) {
            throw LabException.misuse(option + ": no array is named " + name + "; there are "
                    + String.join(", ", session.arrays().keySet()));
        }
        return bound;
    }

    private void compare(Session session, PrintWriter out) {
        var failures = new ArrayList<String>();
        try (Arena arena = Arena.ofConfined()) {
            for (String one : expected) {
                int equals = one.indexOf('=');
                Bound bound = equals > 0 ? array(session, one.substring(0, equals), "--expect") : only(session);
                HostArray file = Npy.read(Path.of(one.substring(equals + 1)), arena);
                Comparison comparison = Comparison.of(bound.name(), bound.now(), file, tolerance);
                if (comparison.wrong() > 0) {
                    failures.add(comparison.text(bound.now()));
                } else {
                    out.println(comparison.text(bound.now()));
                }
            }
        }
        if (!failures.isEmpty()) {
            out.flush();
            throw LabException.failed(String.join("; ", failures), null);
        }
    }

    private static Bound only(Session session) {
        List<Bound> written = session.arrays().values().stream()
                .filter(a -> a.direction() != Argument.Direction.IN).filter(Bound::isChanged).toList();
        if (written.size() != 1) {
            throw LabException.misuse("--expect: " + (written.isEmpty() ? "no array was changed"
                    : "several arrays were changed") + "; name one of "
                    + String.join(", ", session.arrays().keySet()) + ", as in --expect y=e.npy");
        }
        return written.getFirst();
    }
}
