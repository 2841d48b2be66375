package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a prefetch does to the caches cannot be seen; that it does nothing else can. */
class PrefetchTest {
    @TempDir
    private Path folder;

    private static Prefetch bothWays() {
        return new Prefetch(body -> new BothWays(CpuLevel.VECTOR, body));
    }

    @Test
    void nothingChanges() {
        assumeTrue(CodeMemory.obstacle() == null, () -> "no machine code: " + CodeMemory.obstacle());
        float[] values = new float[1000];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        float[] before = values.clone();
        try (Prefetch prefetch = bothWays()) {
            MemorySegment data = MemorySegment.ofArray(values);
            prefetch.toRead(data, 12, 1300, 3, 700);
            prefetch.toWrite(data, 12, 1300, 3, 700);
            prefetch.toRead(data, 5000, 1300, 0, 700);
            prefetch.toRead(data, 5000, 1300, 3, 0);
        }
        assertThat(values).isEqualTo(before);
    }

    /** Machine code that reads there would end the JVM. */
    @Test
    void memoryThatIsGoneIsNoHarm() throws IOException {
        assumeTrue(CodeMemory.obstacle() == null, () -> "no machine code: " + CodeMemory.obstacle());
        Path file = Files.write(folder.resolve("weights"), new byte[1 << 16]);
        try (Prefetch prefetch = new Prefetch(); Arena arena = Arena.ofConfined();
             FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 16, arena);
            channel.truncate(0);
            prefetch.toRead(mapped, 0, 4096, 16, 4096);
            prefetch.toWrite(mapped, 0, 4096, 16, 4096);
        }
    }

    @Test
    void rowsLieWithinTheirSegment() {
        assumeTrue(CodeMemory.obstacle() == null, () -> "no machine code: " + CodeMemory.obstacle());
        try (Prefetch prefetch = bothWays()) {
            MemorySegment data = MemorySegment.ofArray(new float[100]);
            for (long[] rows : new long[][] {{4, 400, 1, 400}, {-4, 400, 1, 4}, {0, 200, 3, 4}, {0, -8, 2, 4}}) {
                assertThatThrownBy(() -> prefetch.toRead(data, rows[0], rows[1], (int) rows[2], (int) rows[3]))
                        .as(Arrays.toString(rows)).isInstanceOf(IndexOutOfBoundsException.class);
            }
        }
    }
}
