package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Machine code, or vectors, that read past the end of a file that has become shorter would end the JVM. */
class ShortenedFileTest {
    private static final int ROWS = 16;
    private static final int COLUMNS = 3000;
    private static final long COMPILED_NANOS = 700_000_000;

    @TempDir
    private Path folder;

    /** After so long the compiler has left out all that is of no use. */
    @Test
    void javaComplainsBeforeMachineCodeReads() throws IOException {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "elsewhere a mapped file cannot be cut");
        Path file = Files.write(folder.resolve("weights"), new byte[2 * ROWS * COLUMNS]);
        try (Arena arena = Arena.ofConfined();
             FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            Tensor rows = Tensor.of(InputFile.map(file, arena), DType.BF16, Shape.of(ROWS, COLUMNS));
            long start = System.nanoTime();
            while (System.nanoTime() - start < COMPILED_NANOS) {
                Mapped.touch(rows, 0, rows.rows(), 0, 2 * COLUMNS);
            }
            channel.truncate(0);
            assertThatThrownBy(() -> Mapped.touch(rows, 0, rows.rows(), 0, 2 * COLUMNS)).isInstanceOf(InternalError.class);
        }
    }

    /** Far more than the plain loop reads at the end of a run. */
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16", "F8_E4M3", "F8_E5M2"})
    void numbersThatAreGoneAreAnError(DType type) throws IOException {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "elsewhere a mapped file cannot be cut");
        Path file = Files.write(folder.resolve("weights"), new byte[ROWS * COLUMNS * type.bytes()]);
        float[] to = new float[ROWS * COLUMNS];
        try (Arena arena = Arena.ofConfined();
             FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            MemorySegment numbers = InputFile.map(file, arena);
            long start = System.nanoTime();
            while (System.nanoTime() - start < COMPILED_NANOS) {
                Widen.run(numbers, type, 0, to, 0, to.length);
            }
            channel.truncate(0);
            assertThatThrownBy(() -> Widen.run(numbers, type, 0, to, 0, to.length)).isInstanceOf(InternalError.class);
        }
    }
}
