package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code kernel learn}: PTX of solutions and of the files that one begins with, compiled by nvcc. */
class LearnCommandTest {
    /** What the file that one begins with is told. */
    private static final Map<Integer, String> FIRST_HINTS = Map.ofEntries(
            Map.entry(1, "stores nothing"), Map.entry(2, "behind the end of an array"),
            Map.entry(3, "512 elements are stored, and y has 10000"), Map.entry(4, "neighbouring lanes"),
            Map.entry(5, "barrier is missing"), Map.entry(6, "look at the banks"),
            Map.entry(7, "__shfl_down_sync by 16"),
            Map.entry(8, "most threads do nothing"), Map.entry(9, "atomicAdd"), Map.entry(10, "NaN is infinity"),
            Map.entry(11, "bring tiles into shared memory"), Map.entry(12, "mma_sync(d, a, b, c)"));

    @TempDir
    private Path folder;
    private String out;
    private String err;

    private int run(Object... args) {
        var written = new StringWriter();
        var errors = new StringWriter();
        int code = KernelCommand.run(new PrintWriter(written, true), new PrintWriter(errors, true),
                Stream.concat(Stream.of("learn"), Stream.of(args).map(Object::toString)).toArray(String[]::new));
        out = written.toString();
        err = errors.toString();
        return code;
    }

    private Path ptx(Puzzle puzzle, String ending) throws IOException {
        return Files.writeString(folder.resolve(puzzle.folder() + ".ptx"),
                Programs.ptx("learn", puzzle.folder() + ending));
    }

    static List<Puzzle> puzzles() {
        return Puzzles.ALL;
    }

    @ParameterizedTest
    @MethodSource("puzzles")
    void aSolutionPassesAndTheStartDoesNot(Puzzle puzzle) throws IOException {
        assertThat(run(puzzle.number(), ptx(puzzle, ".start"))).as(out).isOne();
        assertThat(out).contains("hint: ", FIRST_HINTS.get(puzzle.number()));
        assertThat(err).contains("puzzle " + puzzle.number() + " (" + puzzle.title() + ") is not solved yet")
                .hasLineCount(1);
        assertThat(folder.resolve("progress.txt")).doesNotExist();
        assertThat(run(puzzle.number(), ptx(puzzle, ""))).as(out + err).isZero();
        assertThat(out).contains("solved: " + puzzle.title(), "1 of 12 solved");
        assertThat(folder.resolve("progress.txt")).hasContent(puzzle.number() + "\n");
    }

    /** A solution of one puzzle is none of another, and is told why in a line. */
    @Test
    void otherKernelsAreRefused() throws IOException {
        assertThat(run(2, ptx(Puzzles.ALL.getFirst(), ""))).isEqualTo(2);
        assertThat(err).contains("no kernel is named twice").hasLineCount(1);
    }

    @Test
    void filesAreWrittenOnceAndProgressIsListed() throws IOException {
        assertThat(run()).isZero();
        assertThat(out).contains("[ ]  1  The first kernel", "12  Tensor cores",
                "0 of 12 solved; next: jdiffusion kernel learn 1");
        assertThat(run(3, "--dir", folder)).as(err).isZero();
        Path file = folder.resolve("03-stride-loop.cu");
        assertThat(file).content(StandardCharsets.UTF_8).contains("// Fewer threads than elements",
                "// Launched as squares<<<4,128>>>",
                "__global__ void squares");
        assertThat(run(3, "--dir", folder)).isEqualTo(2);
        assertThat(err).contains("is there already").hasLineCount(1);
        Files.writeString(folder.resolve("progress.txt"), "1\n4\n");
        assertThat(run("--dir", folder)).isZero();
        assertThat(out).contains("[x]  1", "[ ]  2", "[x]  4",
                "2 of 12 solved; next: jdiffusion kernel learn 2 --dir " + folder);
        Files.writeString(folder.resolve("progress.txt"), "all\n");
        assertThat(run("--dir", folder)).isEqualTo(2);
        assertThat(err).contains("'all' is no number of a puzzle").hasLineCount(1);
        assertThat(run(13)).isEqualTo(2);
        assertThat(err).contains("there are puzzles 1 to 12, and no 13");
        assertThat(run(7)).isZero();
        assertThat(out).contains("A sum across a warp", "Begin with");
    }

    /** Where a compiler is there, what one types is checked. */
    @Test
    void sourcesAreCompiled() throws IOException {
        try {
            Path empty = Files.createFile(folder.resolve("empty.cu"));
            Assumptions.assumeTrue(new ProcessBuilder("nvcc", "-E", empty.toString()).redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0,
                    "skipped: nvcc has no C++ compiler");
        } catch (IOException | InterruptedException e) {
            Assumptions.abort("skipped: no nvcc");
        }
        assertThat(run(6, "--dir", folder)).isZero();
        Path file = folder.resolve("06-banks.cu");
        assertThat(run(6, file)).isOne();
        assertThat(out).contains("bank conflicts in line ", "tile[threadIdx.x][threadIdx.y + j]");
        Files.writeString(file, Files.readString(file).replace("tile[32][32]", "tile[32][33]"));
        assertThat(run(6, file)).as(out + err).isZero();
    }
}
