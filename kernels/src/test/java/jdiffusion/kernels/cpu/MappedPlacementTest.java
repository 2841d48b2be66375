package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Pages;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedPlacementTest {
    @TempDir
    private Path folder;

    private MemorySegment map(Arena arena, int bytes) throws IOException {
        return InputFile.map(Files.write(folder.resolve("weights"), new byte[bytes]), arena);
    }

    @Test
    void tensorsStayWhereTheyAreAndBlocksAreReadAhead() throws IOException {
        try (Arena arena = Arena.ofConfined(); MappedPlacement placement = new MappedPlacement()) {
            MemorySegment file = map(arena, 40_000);
            Tensor before = Tensor.of(file.asSlice(0, 400), DType.F32, Shape.of(10, 10));
            assertThat(placement.tensor(before)).isSameAs(before);
            for (int i = 0; i < 3; i++) {
                assertThat(placement.beginBlock()).isEqualTo(i);
                Tensor mapped = Tensor.of(file.asSlice(i * 10_000 + 12, 400), DType.F32, Shape.of(10, 10));
                Tensor decoded = Tensor.of(new float[4], 2, 2);
                assertThat(placement.tensor(mapped)).isSameAs(mapped);
                assertThat(placement.tensor(decoded)).isSameAs(decoded);
                placement.endBlock();
            }
            assertThat(placement.byteSize()).isEqualTo(400 + 3 * 416);
            for (int i = 0; i < 3; i++) {
                placement.enter(i);
                assertThat(placement.next(i)).containsExactly(file.asSlice((i + 1) % 3 * 10_000 + 12, 400));
            }
        }
    }

    /** Parts that begin and end within a page; one that is no mapped memory is refused, and that is all. */
    @Test
    void theSystemTakesTheAdvice() throws IOException {
        assumeTrue(CpuLevel.AVX2.obstacle() == null, "no machine code here");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment file = map(arena, 40_000);
            assertThat(Pages.willRead(file)).isTrue();
            assertThat(Pages.willRead(file.asSlice(5000, 3))).isTrue();
            assertThat(Pages.willRead(file.asSlice(39_999, 1))).isTrue();
            assertThat(Pages.willRead(MemorySegment.ofAddress(1 << 12).reinterpret(100))).isFalse();
        }
    }
}
