package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.emulator.Multiprocessor;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@code KERNELS.md} says what the kernels take now. */
class KernelTableTest {
    private static final Path ROOT = Path.of("src/main/java/jdiffusion/kernels");
    private static final Path TABLE = Path.of("KERNELS.md");
    private static final boolean WRITE = System.getenv("JDIFFUSION_WRITE_KERNEL_TABLE") != null;

    /** The table carries the hashes of the sources, so it is known to be stale also where nothing can be assembled. */
    @Test
    void isOfTheSources() throws Exception {
        Assumptions.assumeFalse(WRITE, "it is being written");
        String table = Files.readString(TABLE);
        for (String file : CompileKernels.files(ROOT)) {
            String line = hashLine(file);
            assertThat(table).as(file + ".cu has changed since the table was made; where ptxas is, make it anew by"
                    + " JDIFFUSION_WRITE_KERNEL_TABLE=1 ./mvnw -Pgenerated -pl kernels -am test -Dtest=KernelTableTest"
                    + " -Dsurefire.failIfNoSpecifiedTests=false").contains(line);
        }
    }

    @Tag("generated")
    @Test
    void isWhatTheAssemblerSays() throws Exception {
        Path ptxas = Nvcc.program("ptxas");
        Assumptions.assumeTrue(ptxas != null, "no ptxas on the PATH or in /usr/local/cuda/bin");
        List<String> files = CompileKernels.files(ROOT);
        StringBuilder made = new StringBuilder(new KernelTable(ptxas).of(files)).append("\nSources:\n\n");
        for (String file : files) {
            made.append(hashLine(file)).append('\n');
        }
        String version = Nvcc.run(List.of(ptxas.toString(), "--version")).output().lines()
                .filter(line -> line.contains("release")).findFirst().orElse("").replaceAll(".*(V[\\d.]+).*", "$1");
        made.append("\nptxas ").append(version).append('\n');
        if (WRITE) {
            Files.writeString(TABLE, made);
            return;
        }
        String table = Files.readString(TABLE);
        Assumptions.assumeTrue(table.endsWith("\nptxas " + version + "\n"), "another ptxas than the table's");
        assertThat(table).isEqualTo(made.toString());
    }

    private static String hashLine(String file) {
        return "- " + file + ".cu " + CuSource.read(file, CuSource.folder(ROOT)).hash().substring(0, 16);
    }

    @Test
    void occupancyFollowsTheScarcestResource() {
        var a = Multiprocessor.SM_80;
        assertThat(a.blocks(256, 32, 0)).isEqualTo(8);
        assertThat(a.blocks(256, 128, 0)).isEqualTo(2);
        assertThat(a.blocks(128, 32, 48 << 10)).isEqualTo(3);
        assertThat(a.blocks(32, 16, 0)).isEqualTo(32);
        assertThat(Multiprocessor.SM_89.blocks(128, 32, 100 << 10)).isZero();
    }
}
