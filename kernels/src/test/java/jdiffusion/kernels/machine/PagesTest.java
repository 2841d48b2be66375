package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PagesTest {
    /** Less and more than what is worth large pages, not whole pages. */
    @ParameterizedTest
    @ValueSource(longs = {1, 100, (16L << 20) - 4, (16L << 20) + 4, (40L << 20) + 4})
    void memoryIsZeroAndGivenBack(long bytes) {
        MemorySegment memory;
        try (Arena arena = Arena.ofConfined()) {
            memory = Pages.zeros(bytes, arena);
            assertThat(memory.byteSize()).isEqualTo(bytes);
            assertThat(memory.address() % 64).isZero();
            for (long at = 0; at < bytes; at += 4093) {
                assertThat(memory.get(ValueLayout.JAVA_BYTE, at)).isZero();
            }
            memory.fill((byte) 7);
        }
        assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    /** Little memory, and what begins at a page of 2 MiB. */
    @ParameterizedTest
    @ValueSource(longs = {1, 100, (1L << 19) - 4, 1L << 19, (3L << 20) + 4})
    void memoryForMachineCodeIsAligned(long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = Pages.large(bytes, arena);
            assertThat(memory.byteSize()).isEqualTo(bytes);
            boolean large = bytes >= 1L << 19 && CodeMemory.obstacle() == null;
            assertThat(memory.address() % (large ? 2 << 20 : 64)).isZero();
            assertThat(memory.get(ValueLayout.JAVA_BYTE, bytes - 1)).isZero();
            memory.fill((byte) 7);
        }
    }

    @Test
    void moreThanThereIsIsRefused() {
        try (Arena arena = Arena.ofConfined()) {
            assertThatThrownBy(() -> Pages.zeros(1L << 50, arena)).isInstanceOf(OutOfMemoryError.class);
        }
    }
}
