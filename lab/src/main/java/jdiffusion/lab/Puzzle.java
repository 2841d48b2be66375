package jdiffusion.lab;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.LongToDoubleFunction;
import java.util.function.ToDoubleFunction;
import jdiffusion.emulator.KernelCounters;

/**
 * A task: a kernel with a gap, what it should compute, and what it may cost.
 *
 * @param number   from 1
 * @param name     of its folder of resources, without the number
 * @param launch   how the kernel is launched; arrays have names
 * @param result   the array that is compared
 * @param expected its elements, from the arrays as they were before the launch
 * @param wrong    what to look at when elements are wrong
 * @param demands  beyond the right result
 */
record Puzzle(int number, String name, String launch, String result, double tolerance, Expected expected, String wrong,
        List<Demand> demands) {

    /** What an array should hold. */
    interface Expected {
        LongToDoubleFunction of(Map<String, HostArray> before);
    }

    /**
     * A limit on what is counted.
     *
     * @param what  is counted, as it is said
     * @param most  that is allowed; for {@code least} the least that is needed
     * @param hint  what to look at when it is not met
     */
    record Demand(String what, ToDoubleFunction<KernelCounters> value, boolean least, double most, String hint) {
        boolean isMet(KernelCounters counters) {
            double counted = value.applyAsDouble(counters);
            return least ? counted >= most : counted <= most;
        }
    }

    /** Such as {@code 03-stride-loop}. */
    String folder() {
        return "%02d-%s".formatted(number, name);
    }

    String fileName() {
        return folder() + ".cu";
    }

    /** What is to be done; the first line is a title. */
    String statement() {
        return resource("statement.txt");
    }

    String title() {
        return statement().lines().findFirst().orElseThrow();
    }

    /** The file that one begins with. */
    String start() {
        return "// " + statement().strip().replace("\n", "\n// ") + "\n//\n// Launched as " + launch + "\n\n"
                + resource("start.cu");
    }

    private String resource(String file) {
        try (InputStream in = Puzzle.class.getResourceAsStream("learn/" + folder() + "/" + file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
