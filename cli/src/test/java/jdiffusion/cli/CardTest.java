package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a machine whose driver lists a card (card.c, which .ci/with-card puts under all tests). */
class CardTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void compile() throws IOException, InterruptedException {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "skipped: elsewhere the driver has another name");
        Path source = folder.resolve("card.c");
        try (InputStream in = CardTest.class.getResourceAsStream("card.c")) {
            Files.copy(in, source);
        }
        Process compiler = null;
        try {
            compiler = new ProcessBuilder("cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", "libcuda.so.1",
                    "card.c").directory(folder.toFile()).inheritIO().start();
        } catch (IOException e) {
            assumeTrue(false, "skipped: card.c needs a C compiler (cc)");
        }
        assertThat(compiler.waitFor()).isZero();
    }

    private List<String> run(int code, Object... args) throws IOException, InterruptedException {
        ProcessBuilder builder = ChildJvm.process(ChildJvm.command(ChildJvm.SHORT, args));
        builder.environment().put("LD_LIBRARY_PATH", folder.toString());
        Process process = builder.start();
        List<String> lines = ChildJvm.lines(process);
        assertThat(process.waitFor()).as("%s", lines).isEqualTo(code);
        return lines;
    }

    @Test
    void isListed() throws IOException, InterruptedException {
        assertThat(run(0, "devices")).anyMatch(line -> line.matches("cuda:0 +usable: Stand-in card, compute capability"
                + " 9\\.0, 132 multiprocessors, 80\\.0 GiB, a driver for CUDA 12\\.6,"
                + " kernels for sm_(90a|80 \\(.*\\))"));
    }

    /** A card that works at first is never replaced by the CPU afterwards. */
    @Test
    void isTakenByDefault() throws IOException, InterruptedException {
        Path picture = folder.resolve("x.png");
        assertThat(run(Main.BAD_INPUT, "generate", "a", "-o", picture)).last().asString()
                .startsWith("jdiffusion: cuda: ").contains("CUDA_ERROR_DEVICE_UNAVAILABLE");
        assertThat(picture).doesNotExist();
    }
}
