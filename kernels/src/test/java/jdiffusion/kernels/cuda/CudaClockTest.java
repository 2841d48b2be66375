package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.WorkClock.Mark;
import org.junit.jupiter.api.Test;

class CudaClockTest extends DeviceTest {
    /** More than are looked at together, so that several bases follow each other. */
    @Test
    void momentsAreInTheOrderOfTheWork() {
        CudaClock clock = new CudaClock(device.cuda());
        long before = System.nanoTime();
        long address = device.cuda().allocate(1 << 20);
        List<Mark> marks = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            marks.add(clock.mark());
            if (i % 500 == 0) {
                device.cuda().clear(address, 1 << 20);
            }
        }
        long last = Long.MIN_VALUE;
        for (Mark mark : marks) {
            assertThat(mark.nanos()).isGreaterThanOrEqualTo(last);
            last = mark.nanos();
        }
        long after = System.nanoTime();
        device.cuda().free(address);
        // A device's clock may go a little differently from the host's.
        long slack = 1_000_000 + (after - before) / 10;
        assertThat(marks.getFirst().nanos()).isBetween(before - slack, after + slack);
        assertThat(last).isBetween(before - slack, after + slack);
        assertThat(marks.getFirst().nanos()).isEqualTo(marks.getFirst().nanos());
        clock.close();
    }

    /** What was marked and not asked for keeps a time; a clock that was closed begins anew. */
    @Test
    void aClosedClockLeavesNothingOpen() {
        CudaClock clock = new CudaClock(device.cuda());
        Mark read = clock.mark();
        long last = read.nanos();
        Mark unread = clock.mark();
        clock.close();
        clock.close();
        assertThat(unread.nanos()).isEqualTo(last).isEqualTo(read.nanos());
        Mark again = clock.mark();
        assertThat(again.nanos()).isGreaterThan(last);
        clock.close();
    }

    @Test
    void driversThatCannotReadTheKernelsAreNamed() {
        assertThat(CudaDriver.obstacle(8, 6, 11_080)).isNull();
        assertThat(CudaDriver.obstacle(9, 0, 13_000)).isNull();
        assertThat(CudaDriver.obstacle(8, 6, 11_070)).contains("CUDA up to 11.7", "11.8 (driver 520)");
        assertThat(CudaDriver.obstacle(7, 5, 13_000)).contains("compute capability 7.5", "8.0");
        assertThat(CudaDriver.float8Obstacle(8, 9, 12_040)).isNull();
        assertThat(CudaDriver.float8Obstacle(12, 0, 13_000)).isNull();
        assertThat(CudaDriver.float8Obstacle(9, 0, 12_020)).contains("CUDA up to 12.2", "12.4 (driver 550)");
        assertThat(CudaDriver.float8Obstacle(8, 6, 13_000)).contains("compute capability 8.6", "8.9");
    }
}
