package jdiffusion.lab;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kernel learn}: puzzles. */
@Command(name = "learn", mixinStandardHelpOptions = true,
        header = "Solve twelve puzzles, from the first kernel to tensor cores, with hints from what is counted.",
        description = "Without a number the puzzles are listed; with one the puzzle is shown; with --dir its file is"
                + " written there, and with a FILE that is checked. What is solved is kept in progress.txt beside it.",
        footerHeading = "%nExample:%n", footer = {
            "  jdiffusion kernel learn 1 --dir puzzles",
            "  jdiffusion kernel learn 1 puzzles/01-first-kernel.cu"})
final class LearnCommand implements Callable<Integer> {
    private static final String PROGRESS = "progress.txt";

    @Parameters(index = "0", arity = "0..1", paramLabel = "N", description = "Number of a puzzle.")
    private Integer number;

    @Parameters(index = "1", arity = "0..1", paramLabel = "FILE", description = "Your solution: a .cu, or its .ptx.")
    private Path file;

    @Option(names = "--dir", paramLabel = "DIR", description = "Where the file of a puzzle is written, and whose"
            + " progress is listed. Default for the list: the current folder.")
    private Path folder;

    @Option(names = "--arch", paramLabel = "SM", defaultValue = "sm_80", description = "What a .cu is compiled for."
            + " Default: sm_80.")
    private String architecture;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        try {
            if (number == null) {
                list(out);
                return 0;
            }
            if (number < 1 || number > Puzzles.ALL.size()) {
                throw LabException.misuse("there are puzzles 1 to " + Puzzles.ALL.size() + ", and no " + number);
            }
            Puzzle puzzle = Puzzles.ALL.get(number - 1);
            if (file != null) {
                check(puzzle, out);
            } else if (folder != null) {
                write(puzzle, out);
            } else {
                out.print(puzzle.number() + ". " + puzzle.statement());
                out.println("\nBegin with: jdiffusion kernel learn " + number + " --dir puzzles");
            }
        } finally {
            out.flush();
        }
        return 0;
    }

    private void list(PrintWriter out) {
        Path at = folder == null ? Path.of("") : folder;
        Set<Integer> solved = solved(at);
        for (Puzzle puzzle : Puzzles.ALL) {
            out.println("%s %2d  %s".formatted(solved.contains(puzzle.number()) ? "[x]" : "[ ]", puzzle.number(),
                    puzzle.title()));
        }
        out.println(solved.size() + " of " + Puzzles.ALL.size() + " solved" + next(solved, at));
    }

    private static String next(Set<Integer> solved, Path at) {
        return Puzzles.ALL.stream().map(Puzzle::number).filter(n -> !solved.contains(n)).findFirst()
                .map(n -> "; next: jdiffusion kernel learn " + n + " --dir " + (at.toString().isEmpty() ? "." : at))
                .orElse(": all");
    }

    private void write(Puzzle puzzle, PrintWriter out) {
        Path target = folder.resolve(puzzle.fileName());
        if (Files.exists(target)) {
            throw LabException.misuse(target + " is there already; delete it to begin anew, or check it with"
                    + " 'jdiffusion kernel learn " + number + " " + target + "'");
        }
        try {
            Files.createDirectories(folder);
            Files.writeString(target, puzzle.start());
        } catch (IOException e) {
            throw LabException.misuse(target + ": cannot be written (" + e.getMessage() + ")", e);
        }
        out.println(puzzle.number() + ". " + puzzle.statement());
        out.println("wrote " + target + "; check it with: jdiffusion kernel learn " + number + " " + target);
    }

    private void check(Puzzle puzzle, PrintWriter out) {
        PuzzleCheck check = PuzzleCheck.of(puzzle, LabProgram.load(file, architecture, List.of()));
        if (!check.isSolved()) {
            check.problems().forEach(out::println);
            throw LabException.failed("puzzle " + number + " (" + puzzle.title() + ") is not solved yet", null);
        }
        Path at = file.toAbsolutePath().getParent();
        Set<Integer> solved = solved(at);
        solved.add(number);
        try {
            Files.writeString(at.resolve(PROGRESS), solved.stream().map(n -> n + "\n").collect(Collectors.joining()));
        } catch (IOException e) {
            throw LabException.misuse(at.resolve(PROGRESS) + ": cannot be written (" + e.getMessage() + ")", e);
        }
        Path shown = file.getParent() == null ? Path.of("") : file.getParent();
        out.println("solved: " + puzzle.title());
        out.println(solved.size() + " of " + Puzzles.ALL.size() + " solved" + next(solved, shown));
    }

    private static Set<Integer> solved(Path folder) {
        Path progress = folder.resolve(PROGRESS);
        var solved = new TreeSet<Integer>();
        if (!Files.isRegularFile(progress)) {
            return solved;
        }
        try {
            for (String line : Files.readAllLines(progress)) {
                if (!line.strip().matches("\\d{1,3}") || Integer.parseInt(line.strip()) > Puzzles.ALL.size()) {
                    throw LabException.misuse(progress + ": '" + line + "' is no number of a puzzle; delete the file to"
                            + " begin anew");
                }
                solved.add(Integer.parseInt(line.strip()));
            }
        } catch (IOException e) {
            throw LabException.misuse(progress + ": cannot be read (" + e.getMessage() + ")", e);
        }
        return solved;
    }
}
