package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The command line in a JVM of its own, without the options that the user's environment gives to every JVM. */
final class ChildJvm {
    /** What the launcher gives to every JVM. */
    static final String LAUNCHERS = "@" + TestModel.SHAPES.resolve("../../java.options").normalize();
    /** For what ends before C2 has saved what it costs. */
    static final List<String> SHORT = List.of("-XX:TieredStopAtLevel=1");

    private ChildJvm() {
    }

    /** Java with the launcher's options and more, and what follows it on a command line. */
    static List<String> command(List<String> options, Object... args) {
        List<String> all = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                LAUNCHERS));
        all.addAll(options);
        all.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        all.addAll(Stream.of(args).map(Object::toString).toList());
        return all;
    }

    /** With the error stream in the output, where the JVM would also name those options. */
    static ProcessBuilder process(List<String> command) {
        ProcessBuilder process = new ProcessBuilder(command).redirectErrorStream(true);
        process.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"));
        return process;
    }

    /** All lines that are not the JVM's own warnings. */
    static List<String> lines(Process process) {
        return process.inputReader().lines().filter(line -> !line.startsWith("WARNING")).toList();
    }
}
