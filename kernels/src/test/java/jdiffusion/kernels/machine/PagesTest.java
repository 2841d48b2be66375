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
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4096, 4097, (5 << 20) + 3})
    void zerosOfThatSizeUntilTheArenaCloses(long size) {
        MemorySegment memory;
        try (Arena arena = Arena.ofShared()) {
            memory = Pages.zeros(size, arena);
            assertThat(memory.byteSize()).isEqualTo(size);
            assertThat(memory.address() % 64).isZero();
            assertThat(memory.mismatch(MemorySegment.ofArray(new byte[(int) size]))).isEqualTo(-1);
            memory.fill((byte) 7);
        }
        if (size > 0) {
            assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void moreThanThereIs() {
        try (Arena arena = Arena.ofShared()) {
            assertThatThrownBy(() -> Pages.zeros(1L << 60, arena)).isInstanceOf(OutOfMemoryError.class);
        }
    }
}
