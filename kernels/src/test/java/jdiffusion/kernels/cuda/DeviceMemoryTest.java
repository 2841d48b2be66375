package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import org.junit.jupiter.api.Test;

/** Nothing of a device stays taken when something fails. */
class DeviceMemoryTest {
    private static final InputException FULL = new InputException("no memory");

    @Test
    void aWorkspaceThatCannotBeCleared() {
        DeviceMemory memory = DeviceMemory.counting();
        assertThatThrownBy(() -> memory.workspace(100, _ -> {
            throw FULL;
        }, DType.F32, DType.F32)).isSameAs(FULL);
        assertThat(memory.count().live()).isZero();
        assertThat(memory.count().peak()).isEqualTo(100);
    }

    @Test
    void transfersForWeightsWithoutMemory() {
        DeviceMemory memory = new DeviceMemory(new DeviceMemory.Allocator() {
            @Override
            public long allocate(long bytes) {
                throw FULL;
            }

            @Override
            public void free(long address) {
                throw new AssertionError("nothing was taken");
            }
        });
        int[] closed = {0};
        DevicePlacement.Transfers transfers = new DevicePlacement.Transfers() {
            @Override
            public void close() {
                closed[0]++;
            }
        };
        assertThatThrownBy(() -> DevicePlacement.of(new Placement.Size(1 << 20, 0), memory, transfers, DType.BF16))
                .isSameAs(FULL);
        assertThat(closed[0]).isEqualTo(1);
        assertThat(memory.count().live()).isZero();
    }
}
