package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.conv2d.CudnnConv2d;
import jdiffusion.kernels.linear.CublasLinear;
import org.junit.jupiter.api.Test;

/** Libraries that are not here. Real ones are asked for in a JVM of their own, since other tests load stand-ins. */
class OptionalLibraryTest {
    private static OptionalLibrary library(Runnable bindings) {
        return new OptionalLibrary("--gemm fast", "--gemm own", "install Fast 3", bindings);
    }

    private static Runnable failing(String message) {
        return () -> {
            throw new UnsatisfiedLinkError(message);
        };
    }

    @Test
    void whatIsHereIsLoadedOnce() {
        AtomicInteger loads = new AtomicInteger();
        OptionalLibrary library = library(loads::incrementAndGet);
        assertThat(loads).hasValue(0);
        library.require();
        assertThat(library.obstacle()).isNull();
        assertThat(loads).hasValue(1);
    }

    @Test
    void aMissingLibraryIsNamedInOneLine() {
        OptionalLibrary library = library(failing("Error while loading\n/tmp/libJFast.so: libfast.so.3: cannot open"
                + " shared object file: No such file or directory\n\tat ..."));
        assertThat(library.obstacle()).isEqualTo("libfast.so.3 was not found; install Fast 3");
        assertThatThrownBy(library::require).isInstanceOf(DeviceException.class)
                .hasMessage("--gemm fast: libfast.so.3 was not found; install Fast 3, or use --gemm own");
    }

    @Test
    void otherFailuresAreOneLineToo() {
        assertThat(library(failing("undefined symbol: fastest\nand more")).obstacle())
                .startsWith("its bindings do not load").contains(";").doesNotContain("\n");
    }

    @Test
    void inOtherLanguagesTheLibraryIsNamedToo() {
        OptionalLibrary library = library(failing("Error while loading\n/tmp/libJFast.so: libfast.so.3: Kann die"
                + " Shared-Object-Datei nicht öffnen\n\tat ..."));
        assertThat(library.obstacle()).contains("libfast.so.3: Kann die").doesNotContain("\n");
    }

    @Test
    void cublasAndCudnnThatAreNotInstalled() throws IOException, InterruptedException {
        List<String> lines = inNewJvm();
        assumeFalse(lines.contains("here"), "skipped: cuBLAS or cuDNN is installed here");
        assertThat(lines).containsExactly(
                "--gemm cublas: libcublas.so.12 was not found; install CUDA's cuBLAS 12, or use --gemm own",
                "--conv cudnn: libcudnn.so.9 was not found; install cuDNN 9 for CUDA 12, or use --conv own");
    }

    /** Prints why each library cannot be used, as its user sees it. */
    public static void main(String[] args) {
        for (Runnable use : new Runnable[] {() -> new CublasLinear(null), () -> new CudnnConv2d(null)}) {
            try {
                use.run();
                System.out.println("here");
            } catch (DeviceException e) {
                System.out.println(e.getMessage());
            }
        }
    }

    private static List<String> inNewJvm() throws IOException, InterruptedException {
        ProcessBuilder java = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                OptionalLibraryTest.class.getName()).redirectErrorStream(true);
        java.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"));
        // What the dynamic linker says is understood in English.
        java.environment().put("LC_ALL", "C.UTF-8");
        Process process = java.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output.lines().filter(line -> !line.startsWith("WARNING: Using incubator modules")).toList();
    }
}
