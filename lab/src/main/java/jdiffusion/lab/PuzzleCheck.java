package jdiffusion.lab;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongToDoubleFunction;
import java.util.function.ToLongFunction;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.Line;
import jdiffusion.lab.Puzzle.Demand;
import jdiffusion.lab.Session.Bound;

/**
 * What became of an attempt at a puzzle.
 *
 * @param problems what is wrong, with hints; empty where it is solved
 */
record PuzzleCheck(List<String> problems) {
    private static final int SECONDS = 60;

    /** Runs an attempt with two orders of the warps. */
    static PuzzleCheck of(Puzzle puzzle, LabProgram program) {
        for (long seed = 0; seed < 2; seed++) {
            List<String> problems = run(puzzle, program, seed);
            if (!problems.isEmpty()) {
                return new PuzzleCheck(problems);
            }
        }
        return new PuzzleCheck(List.of());
    }

    boolean isSolved() {
        return problems.isEmpty();
    }

    private static List<String> run(Puzzle puzzle, LabProgram program, long seed) {
        EmulatorOptions options = EmulatorOptions.defaults().withCheck(true).withProfile(true).withSeed(seed);
        SourceMap source = SourceMap.of(program);
        try (Session session = new Session(program, options, seed, SECONDS); Arena arena = Arena.ofConfined()) {
            session.executor().printer(_ -> { });
            try {
                session.run(LaunchParser.parse(puzzle.launch()));
            } catch (LabException e) {
                if (e.isMisuse()) {
                    throw e;
                }
                return List.of(e.getMessage() + line(source, e), "hint: " + ofFault(e, puzzle));
            }
            KernelCounters counters = session.counters().values().iterator().next();
            List<String> problems = wrong(puzzle, session, arena, counters);
            if (problems.isEmpty()) {
                puzzle.demands().stream().filter(demand -> !demand.isMet(counters))
                        .forEach(demand -> problems.addAll(unmet(demand, counters, source)));
            }
            return problems;
        }
    }

    private static List<String> wrong(Puzzle puzzle, Session session, Arena arena, KernelCounters counters) {
        Map<String, HostArray> before = new LinkedHashMap<>();
        session.arrays().forEach((name, bound) -> before.put(name, bound.before()));
        Bound result = session.arrays().get(puzzle.result());
        HostArray expected = result.before().copy(arena);
        LongToDoubleFunction elements = puzzle.expected().of(before);
        for (long i = 0; i < expected.count(); i++) {
            expected.type().set(expected.data(), i, elements.applyAsDouble(i));
        }
        Comparison comparison = Comparison.of(puzzle.result(), result.now(), expected, puzzle.tolerance());
        var problems = new ArrayList<String>();
        if (comparison.wrong() > 0) {
            problems.add(comparison.text(result.now()));
            long written = counters.traffic().globalBytesWritten / result.now().type().bytes();
            if (written == 0) {
                problems.add("hint: the kernel stores nothing in global memory");
            } else if (written < result.now().count() / 2) {
                problems.add("hint: %d elements are stored, and %s has %d".formatted(written, result.name(),
                        result.now().count()));
            }
            problems.add("hint: " + puzzle.wrong());
        }
        return problems;
    }

    private static List<String> unmet(Demand demand, KernelCounters counters, SourceMap source) {
        double counted = demand.value().applyAsDouble(counters);
        String what = String.format(Locale.ROOT, "the result is right, but %s: %s, and %s %s %s", demand.what(),
                number(counted), demand.least() ? "at least" : "at most", number(demand.most()),
                demand.least() ? "are needed" : "are allowed");
        var problems = new ArrayList<>(List.of(what));
        String place = worst(counters, source);
        if (!place.isEmpty()) {
            problems.add(place);
        }
        problems.add("hint: " + demand.hint());
        return problems;
    }

    /** Where most is lost. */
    private static String worst(KernelCounters counters, SourceMap source) {
        String conflicts = worst(counters, source, line -> line.traffic.sharedConflictCycles, "bank conflicts");
        return !conflicts.isEmpty() ? conflicts : worst(counters, source, line -> line.traffic.globalSectors
                - line.traffic.globalIdealSectors, "sectors that need not be moved");
    }

    private static String worst(KernelCounters counters, SourceMap source, ToLongFunction<Line> of, String what) {
        Line line = counters.lines().values().stream().max(Comparator.comparingLong(of)).orElse(null);
        if (line == null || of.applyAsLong(line) == 0) {
            return "";
        }
        int at = source.source(line.line);
        return "%d %s in %s".formatted(of.applyAsLong(line), what, at > 0 ? "line %d: %s".formatted(at,
                source.text().get(at - 1).strip()) : "PTX line %d: %s".formatted(line.line, line.text));
    }

    private static String line(SourceMap source, LabException e) {
        int at = e.getCause() instanceof DeviceFault fault ? source.source(fault.line()) : 0;
        return at > 0 ? ", line %d: `%s`".formatted(at, source.text().get(at - 1).strip()) : "";
    }

    private static String ofFault(LabException e, Puzzle puzzle) {
        if (!(e.getCause() instanceof DeviceFault fault)) {
            return puzzle.wrong();
        }
        return switch (fault.kind()) {
            case OUT_OF_BOUNDS -> "a thread reads or writes behind the end of an array; is its index below the length?";
            case SHARED_RACE -> "nothing says which of these two comes first; __syncthreads() between them would";
            case UNINITIALISED_SHARED -> "shared memory is read before anything is stored there; perhaps a barrier is"
                    + " missing, or some thread stores too little";
            case DIVERGENT_BARRIER -> "all threads must come to __syncthreads(), and all lanes to what ends in _sync";
            case DEADLOCK -> "the kernel does not end; does every loop come to its end?";
            default -> puzzle.wrong();
        };
    }

    private static String number(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : String.format(Locale.ROOT, "%.2f", value);
    }
}
