package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class LargePagesTest {
    private static final long BYTES = (17L << 20) + 64;

    @Test
    void areZeroAndWritableToTheLastByteUntilClosed() {
        assumeThat(CodeMemory.obstacle()).as("why there is no memory of ours").isNull();
        MemorySegment memory;
        try (LargePages pages = LargePages.of(BYTES)) {
            memory = pages.memory();
            assertThat(memory.byteSize()).isEqualTo(BYTES);
            assertThat(memory.address() % 64).isZero();
            assertThat(memory.mismatch(MemorySegment.ofArray(new byte[(int) BYTES]))).isEqualTo(-1);
            memory.fill((byte) 7);
            assertThat(memory.get(ValueLayout.JAVA_BYTE, BYTES - 1)).isEqualTo((byte) 7);
        }
        assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void areNotTakenForLittleOrForMoreThanThereIs() {
        assertThat(LargePages.of(1 << 20)).isNull();
        assertThat(LargePages.of(Long.MAX_VALUE / 2)).isNull();
    }
}
