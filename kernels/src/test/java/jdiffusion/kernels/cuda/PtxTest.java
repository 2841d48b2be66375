package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The PTX that is packed belongs to the sources, and changed sources take its place when asked for. */
class PtxTest {
    private static final Path ROOT = Path.of("src/main/java/jdiffusion/kernels");
    private static final Path RESOURCES = Path.of("src/main/resources/jdiffusion/kernels");

    @AutoClose
    private final ExecutorService compilers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());

    @TempDir
    private Path folder;

    @TestFactory
    Stream<DynamicTest> isOfTheSources() throws IOException {
        assertThat(CompileKernels.files(ROOT)).contains("linear/linear_bf16", "attention/attention");
        return CompileKernels.files(ROOT).stream().map(file -> DynamicTest.dynamicTest(file, () -> {
            CuSource source = CuSource.read(file, CuSource.folder(ROOT));
            String packed = KernelSource.BUILT_IN.ptx(file);
            assertThat(Ptx.hash(packed)).as("sources of %s.ptx", file).isEqualTo(source.hash());
            assertThat(packed).isEqualTo(CompileKernels.read(RESOURCES, file))
                    .contains(file.endsWith("_sm90") ? "\n.version 8.0\n.target sm_90a\n"
                            : file.endsWith("_sm89") ? "\n.version 8.4\n.target sm_89\n"
                            : "\n.version 7.8\n.target sm_80\n");
        }));
    }

    /** Where the compiler that made it is here, it makes the same again. */
    @Tag("generated")
    @TestFactory
    Stream<DynamicTest> isWhatTheCompilerMakes() throws IOException {
        Nvcc nvcc = working();
        // All are compiled at once, since each takes a processor for a second.
        Map<String, CompletableFuture<String>> made = new LinkedHashMap<>();
        for (String file : CompileKernels.files(ROOT)) {
            made.put(file, CompletableFuture.supplyAsync(() -> compiled(nvcc, file), compilers));
        }
        return made.entrySet().stream().map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
            String again = entry.getValue().get();
            Assumptions.assumeTrue(again != null, "no nvcc of the version that made the PTX");
            assertThat(KernelSource.BUILT_IN.ptx(entry.getKey())).isEqualTo(again);
        }));
    }

    /** An nvcc that can compile; null when there is none. */
    static Nvcc working() {
        Nvcc nvcc = Nvcc.find();
        return nvcc == null || nvcc.obstacle() != null ? null : nvcc;
    }

    /** Null where the compiler is not the one that made what is packed. */
    private static String compiled(Nvcc nvcc, String file) {
        if (nvcc == null || !KernelSource.BUILT_IN.ptx(file).contains("// compiler: " + nvcc.version() + "\n")) {
            return null;
        }
        CuSource source = CuSource.read(file, CuSource.folder(ROOT));
        return Ptx.marked(nvcc.compile(source, false), source, nvcc.version());
    }

    @Test
    void everyHeaderCounts() {
        Map<String, String> files = Map.of("k/k.cu", "#include \"k.cuh\"\n#include \"device.cuh\"\n",
                "k/k.cuh", "#include \"../l/l.cuh\"", "l/l.cuh", "int l;", "cuda/device.cuh", "int d;");
        CuSource source = CuSource.read("k/k", files::get);
        assertThat(source.texts()).containsOnlyKeys("k/k.cu", "k/k.cuh", "l/l.cuh", "cuda/device.cuh");
        CuSource changed = CuSource.read("k/k", path -> path.equals("l/l.cuh") ? "int m;" : files.get(path));
        assertThat(changed.hash()).isNotEqualTo(source.hash());
        assertThatThrownBy(() -> CuSource.read("k/k", path -> path.endsWith("l.cuh") ? null : files.get(path)))
                .isInstanceOf(InputException.class).hasMessageContainingAll("l.cuh", "k/k.cuh includes it");
    }

    @Test
    void changedSourcesAreCompiled() throws IOException {
        Assumptions.assumeTrue(CudaBackend.compilerObstacle() == null, "no compiler for CUDA sources");
        String source = Files.readString(ROOT.resolve("upsample/upsample.cu"));
        Files.writeString(folder.resolve("upsample.cu"), source + """

                extern "C" __global__ void of_my_own(float* p) {
                    p[0] = 1;
                }
                """);
        KernelSource kernels = KernelSource.folder(folder);
        assertThat(kernels.ptx("upsample/upsample")).contains(".visible .entry of_my_own", ".version 7.8");
        assertThat(kernels.ptx("layout/layout")).isEqualTo(KernelSource.BUILT_IN.ptx("layout/layout"));

        Files.writeString(folder.resolve("upsample.cu"), "int x = \"text\";");
        assertThat(kernels.ptx("upsample/upsample")).as("compiled once").contains("of_my_own");
        assertThatThrownBy(() -> KernelSource.folder(folder).ptx("upsample/upsample"))
                .isInstanceOf(DeviceException.class).hasMessageContainingAll("upsample/upsample.cu does not compile", "error")
                .hasMessageNotContaining("\n");
        assertThatThrownBy(() -> KernelSource.folder(folder.resolve("none"))).isInstanceOf(InputException.class)
                .hasMessageContaining("is not a folder");
    }
}
