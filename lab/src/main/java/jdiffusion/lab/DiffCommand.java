package jdiffusion.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.lab.Session.Bound;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kernel diff}: the same launches of two programs. */
@Command(name = "diff", mixinStandardHelpOptions = true,
        header = "Compare two versions of kernels: their results, and all that is counted of them.",
        description = "Counts are no times: they say what a version does, on any machine the same. With"
            + " --fail-if-more a build fails when the second version does more of it.",
        footerHeading = "%nExample:%n", footer = {
            "  jdiffusion kernel diff old.cu new.cu --fail-if-more sectors,conflicts \\",
            "      --launch \"saxpy<<<64,256>>>(16384, 2.0, rand(16384), zeros(16384))\""})
final class DiffCommand implements Callable<Integer> {
    @Mixin
    private LaunchOptions options;

    @Parameters(index = "1", paramLabel = "OTHER", description = "The other version.")
    private Path other;

    @Option(names = "--tolerance", paramLabel = "T", defaultValue = "0", description = "By how much an element may be"
            + " off: T * max(1, |first version's|). Default: 0, the same numbers.")
    private double tolerance;

    @Option(names = "--fail-if-more", paramLabel = "COUNTER", split = ",",
            description = "End with an error when the second version has more of it.")
    private List<String> limited = new ArrayList<>();

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    /** Counts of one launched kernel in both versions. */
    private record Pair(String kernel, KernelCounters first, KernelCounters second) {
    }

    @Override
    public Integer call() {
        Set<Metric> limits = new LinkedHashSet<>();
        limited.forEach(name -> limits.add(Metric.named(name.strip())));
        List<Launch> launches = options.parsed();
        LabProgram first = options.program();
        LabProgram second = options.program(other);
        try (Session a = run(first, launches); Session b = run(second, launches)) {
            List<Comparison> results = new ArrayList<>();
            for (Bound bound : a.arrays().values()) {
                results.add(Comparison.of(bound.name(), b.arrays().get(bound.name()).now(), bound.now(), tolerance));
            }
            List<Pair> pairs = launches.stream().map(Launch::kernel).distinct().map(name -> new Pair(name,
                    a.counters().get(first.kernel(name).name()), b.counters().get(second.kernel(name).name())))
                    .toList();
            PrintWriter out = spec.commandLine().getOut();
            if (json) {
                out.println(json(results, pairs));
            } else {
                print(out, b, results, pairs);
            }
            out.flush();
            check(results, pairs, limits);
        }
        return 0;
    }

    private Session run(LabProgram program, List<Launch> launches) {
        Session session = options.session(program, true, _ -> { });
        try {
            launches.forEach(session::run);
            return session;
        } catch (RuntimeException e) {
            session.close();
            throw e;
        }
    }

    private void print(PrintWriter out, Session second, List<Comparison> results, List<Pair> pairs) {
        for (Comparison result : results) {
            out.println(result.wrong() == 0 && result.greatest() == 0 ? result.name() + ": the same"
                    : result.text(second.arrays().get(result.name()).now()));
        }
        for (Pair pair : pairs) {
            out.printf("%n%-16s %15s %15s %9s  %s%n", pair.kernel, options.file.getFileName(), other.getFileName(),
                    "change", "");
            for (Metric metric : Metric.values()) {
                long a = metric.of(pair.first);
                long b = metric.of(pair.second);
                if (a != 0 || b != 0) {
                    out.printf("%-16s %15d %15d %9s  %s%n", metric.label(), a, b, change(a, b), metric.meaning());
                }
            }
        }
    }

    private static String change(long a, long b) {
        return a == b ? "=" : a == 0 ? "new" : String.format(Locale.ROOT, "%+.1f %%", 100.0 * (b - a) / a);
    }

    private static String json(List<Comparison> results, List<Pair> pairs) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("equal", results.stream().allMatch(result -> result.wrong() == 0));
        ArrayNode arrays = root.putArray("arrays");
        for (Comparison result : results) {
            arrays.addObject().put("name", result.name()).put("wrong", result.wrong())
                    .put("greatest_difference", result.greatest());
        }
        ArrayNode kernels = root.putArray("kernels");
        for (Pair pair : pairs) {
            ObjectNode counters = kernels.addObject().put("kernel", pair.kernel).putObject("counters");
            for (Metric metric : Metric.values()) {
                counters.putArray(metric.label()).add(metric.of(pair.first)).add(metric.of(pair.second));
            }
        }
        return root.toPrettyString();
    }

    private static void check(List<Comparison> results, List<Pair> pairs, Set<Metric> limits) {
        List<String> failures = new ArrayList<>();
        for (Comparison result : results) {
            if (result.wrong() > 0) {
                failures.add(result.name() + " differs in " + result.wrong() + " elements");
            }
        }
        for (Pair pair : pairs) {
            for (Metric metric : limits) {
                long a = metric.of(pair.first);
                long b = metric.of(pair.second);
                if (b > a) {
                    failures.add(pair.kernel + " has more " + metric.label() + ": " + b + ", was " + a);
                }
            }
        }
        if (!failures.isEmpty()) {
            throw LabException.failed(String.join("; ", failures), null);
        }
    }
}
