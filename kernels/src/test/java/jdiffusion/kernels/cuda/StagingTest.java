package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.function.Consumer;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Copies through page-locked memory. The emulated device makes each as late as the rules of streams allow, so bytes of a
 * buffer that is filled again too early arrive wrong.
 */
class StagingTest extends DeviceTest {
    private static final int SIZE = 3 << 20;
    private static final int BUFFERS = 3;

    private static void run(Consumer<Staging> body) {
        device.cuda().use();
        try (Staging staging = new Staging(BUFFERS, SIZE)) {
            body.accept(staging);
        }
    }

    private static CUstream stream() {
        CUstream[] stream = new CUstream[1];
        device.cuda().queue(() -> "asking for the stream", s -> stream[0] = s);
        return stream[0];
    }

    private static byte[] bytes(int seed, int count) {
        byte[] bytes = new byte[count];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static MemorySegment segment(byte[] bytes) {
        return MemorySegment.ofArray(bytes);
    }

    private static long allocate(long bytes) {
        return device.cuda().allocate(bytes);
    }

    private static byte[] read(Staging staging, long from, int count) {
        byte[] bytes = new byte[count];
        staging.copyOut(from, segment(bytes), stream());
        return bytes;
    }

    /** What the emulated device's memory holds at this moment. */
    private static boolean arrived(long address, byte[] expected) {
        byte[] now = MemorySegment.ofAddress(address).reinterpret(expected.length).toArray(ValueLayout.JAVA_BYTE);
        return MemorySegment.ofArray(now).mismatch(segment(expected)) < 0;
    }

    /** A file that somebody cuts off fails the copy; what follows is copied as ever, and nobody writes to freed memory. */
    @Test
    void aFileThatIsCutOffMeanwhile(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("weights"), new byte[6 << 20]);
        device.cuda().use();
        try (Arena arena = Arena.ofShared(); FileChannel channel = FileChannel.open(file, StandardOpenOption.READ,
                StandardOpenOption.WRITE); Staging staging = new Staging(2, 8 << 20)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, 6 << 20, arena);
            channel.truncate(2 << 20);
            long to = allocate(6 << 20);
            assertThatThrownBy(() -> staging.copyIn(mapped, to, stream())).isInstanceOf(InternalError.class);
            byte[] next = bytes(3, 5000);
            staging.copyIn(segment(next), to, stream());
            assertThat(read(staging, to, next.length)).isEqualTo(next);
        }
    }

    /** One more than there are buffers: the first had to be waited for. */
    @Test
    void asManyCopiesAreUnderWayAsThereAreBuffers() {
        assumeFalse(TestDevice.isReal(), "looks into the emulated device's memory");
        run(staging -> {
            byte[] all = bytes(1, (BUFFERS + 1) * SIZE);
            long to = allocate(all.length);
            staging.copyIn(segment(all), to, stream());
            for (int i = 0; i <= BUFFERS; i++) {
                byte[] part = segment(all).asSlice((long) i * SIZE, SIZE).toArray(ValueLayout.JAVA_BYTE);
                assertThat(arrived(to + (long) i * SIZE, part)).as("part %d has arrived", i).isEqualTo(i == 0);
            }
            assertThat(read(staging, to, all.length)).isEqualTo(all);
            device.cuda().free(to);
        });
    }

    @Test
    void smallCopiesWaitForNothing() {
        assumeFalse(TestDevice.isReal(), "looks into the emulated device's memory");
        run(staging -> {
            int count = 200;
            int each = 1001;
            byte[] all = bytes(2, count * each);
            long to = allocate(all.length);
            for (int i = 0; i < count; i++) {
                staging.copyIn(segment(all).asSlice((long) i * each, each), to + (long) i * each, stream());
            }
            byte[] first = segment(all).asSlice(0, each).toArray(ValueLayout.JAVA_BYTE);
            assertThat(arrived(to, first)).as("the first has arrived").isFalse();
            assertThat(read(staging, to, all.length)).isEqualTo(all);
            device.cuda().free(to);
        });
    }

    /** Sizes that fit no buffer, one after the other on two streams. */
    @Test
    void buffersAreFilledAgainOnlyWhenBothStreamsHaveReadThem() {
        CUstream other = new CUstream();
        device.cuda().use();
        JCudaDriver.cuStreamCreate(other, CUstream_flags.CU_STREAM_NON_BLOCKING);
        run(staging -> {
            int[] sizes = {1000, 1, 2_500_000, 700_001, 5, 3_145_728, 9_999_999, 1 << 20, 3, 300_000, 4_000_000};
            long[] addresses = new long[sizes.length];
            for (int i = 0; i < sizes.length; i++) {
                addresses[i] = allocate(sizes[i]);
                staging.copyIn(segment(bytes(i, sizes[i])), addresses[i], i % 3 == 0 ? other : stream());
            }
            JCudaDriver.cuStreamSynchronize(other);
            for (int i = 0; i < sizes.length; i++) {
                assertThat(read(staging, addresses[i], sizes[i])).as("copy %d", i).isEqualTo(bytes(i, sizes[i]));
                device.cuda().free(addresses[i]);
            }
        });
        JCudaDriver.cuStreamDestroy(other);
    }

    /** A copy back takes a buffer that nothing is under way from. */
    @Test
    void copiesBackSpoilNothing() {
        CUstream other = new CUstream();
        device.cuda().use();
        JCudaDriver.cuStreamCreate(other, CUstream_flags.CU_STREAM_NON_BLOCKING);
        run(staging -> {
            byte[] late = bytes(3, BUFFERS * SIZE);
            byte[] early = bytes(4, 5000);
            long first = allocate(early.length);
            long second = allocate(late.length);
            staging.copyIn(segment(early), first, stream());
            staging.copyIn(segment(late), second, other);
            assertThat(read(staging, first, early.length)).isEqualTo(early);
            JCudaDriver.cuStreamSynchronize(other);
            assertThat(read(staging, second, late.length)).isEqualTo(late);
            device.cuda().free(first);
            device.cuda().free(second);
        });
        JCudaDriver.cuStreamDestroy(other);
    }

    @Test
    void mappedFilesAreRead(@TempDir Path folder) throws IOException {
        byte[] all = bytes(5, 7_000_003);
        Path file = Files.write(folder.resolve("weights"), all);
        try (Arena arena = Arena.ofShared(); FileChannel channel = FileChannel.open(file)) {
            MemorySegment mapped = channel.map(MapMode.READ_ONLY, 0, all.length, arena);
            run(staging -> {
                long to = allocate(all.length);
                staging.copyIn(mapped.asSlice(3), to, stream());
                assertThat(read(staging, to, all.length - 3)).isEqualTo(bytesFrom(all, 3));
                device.cuda().free(to);
            });
        }
    }

    private static byte[] bytesFrom(byte[] all, int from) {
        return segment(all).asSlice(from).toArray(ValueLayout.JAVA_BYTE);
    }
}
