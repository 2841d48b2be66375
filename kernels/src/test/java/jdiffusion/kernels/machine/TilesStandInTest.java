package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * The code for AMX run by a CPU, in a JVM for which tiles.c carries out the instructions of tiles: it gives the bits of
 * the interpreter. .ci/with-amx puts tiles.c under all tests.
 */
class TilesStandInTest {
    private static final String SAME_BITS = "tilesOfTheCpuGiveTheSameBits";

    @TempDir
    private Path folder;

    @Test
    void runsAsInterpreted() throws IOException, InterruptedException {
        assumeTrue(CpuLevel.AMX.obstacle() != null, "this CPU has tiles");
        Levels.assume(CpuLevel.AVX512BF16);
        Path source = folder.resolve("tiles.c");
        try (InputStream in = TilesStandInTest.class.getResourceAsStream("tiles.c")) {
            Files.copy(in, source);
        }
        Process compiler = null;
        try {
            compiler = new ProcessBuilder("cc", "-O2", "-mavx512f", "-shared", "-fPIC", "-o", "tiles.so", "tiles.c")
                    .directory(folder.toFile()).inheritIO().start();
        } catch (IOException e) {
            assumeTrue(false, "skipped: tiles.c needs a C compiler (cc)");
        }
        assertThat(compiler.waitFor()).isZero();

        ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-Djdiffusion.vectorBits=512", "-cp",
                System.getProperty("java.class.path"), TilesStandInTest.class.getName()).redirectErrorStream(true);
        builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"));
        builder.environment().put("LD_PRELOAD", folder.resolve("tiles.so").toString());
        Process process = builder.start();
        List<String> lines = process.inputReader().lines().toList();
        assertThat(process.waitFor()).as("%s", lines).isZero();
    }

    /** The tests that run code on tiles both ways; the exit code is 0 if all of them ran and passed. */
    public static void main(String[] args) {
        List<DiscoverySelector> tests = List.of(selectClass(TilesTest.class), selectClass(AmxPanelsTest.class),
                selectClass(AmxAttentionTest.class), selectClass(PartsTest.class),
                selectMethod("jdiffusion.kernels.linear.TiledLinearTest", SAME_BITS),
                selectMethod("jdiffusion.kernels.linear.SplitLinearTest", SAME_BITS));
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(tests).build();
        SummaryGeneratingListener listener = new SummaryGeneratingListener();
        LauncherFactory.create().execute(request, listener);
        TestExecutionSummary summary = listener.getSummary();
        summary.printTo(new PrintWriter(System.out));
        summary.printFailuresTo(new PrintWriter(System.out), 3);
        // One asks what happens without tiles.
        boolean all = summary.getTestsSucceededCount() > 2 * tests.size()
                && summary.getTestsFoundCount() == summary.getTestsSucceededCount() + 1;
        System.exit(all ? 0 : 1);
    }
}
