package jdiffusion.emulator.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUarray;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jdiffusion.emulator.EmulatorOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The driver through JCuda: device, contexts, memory, streams and events. */
@NeedsCompiler
class EmulatedDeviceTest {
    private static final long MEMORY = 64L << 20;

    private EmulatedDevice device;

    @BeforeEach
    void open() {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(true).withThreads(1), MEMORY);
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
    }

    @AfterEach
    void close() {
        device.close();
    }

    /** The name of what the call returned. */
    private static String result(Runnable call) {
        try {
            call.run();
            return "CUDA_SUCCESS";
        } catch (CudaException e) {
            return e.getMessage();
        }
    }

    private static CUdeviceptr allocate(long bytes) {
        var pointer = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(pointer, bytes);
        return pointer;
    }

    private static ByteBuffer download(CUdeviceptr pointer, int bytes) {
        ByteBuffer host = HostMemory.bytes(bytes);
        JCudaDriver.cuMemcpyDtoH(Pointer.to(host), pointer, bytes);
        return host;
    }

    @Test
    void describesItself() {
        var count = new int[1];
        JCudaDriver.cuDeviceGetCount(count);
        assertThat(count).containsExactly(1);
        var handle = new CUdevice();
        JCudaDriver.cuDeviceGet(handle, 0);
        var name = new byte[64];
        JCudaDriver.cuDeviceGetName(name, name.length, handle);
        assertThat(new String(name, StandardCharsets.US_ASCII)).startsWith("jdiffusion emulated device\0");
        var bytes = new long[1];
        JCudaDriver.cuDeviceTotalMem(bytes, handle);
        assertThat(bytes).containsExactly(MEMORY);
        assertThat(attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)).isEqualTo(8);
        assertThat(attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_WARP_SIZE)).isEqualTo(DeviceLimits.WARP);
        assertThat(attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))
                .isEqualTo(new DeviceLimits(80).sharedBytesOptIn());
        assertThat(attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR))
                .isEqualTo(new DeviceLimits(80).sharedBytesPerMultiprocessor());
        assertThat(attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK))
                .isEqualTo(DeviceLimits.SHARED_BYTES);
    }

    private static int attribute(int attribute) {
        var value = new int[1];
        JCudaDriver.cuDeviceGetAttribute(value, attribute, new CUdevice());
        return value[0];
    }

    @Test
    void copiesAndFillsMemory() {
        CUdeviceptr first = allocate(4096);
        CUdeviceptr second = allocate(4096);
        var source = new float[1024];
        for (int i = 0; i < source.length; i++) {
            source[i] = i * 0.5f;
        }
        JCudaDriver.cuMemcpyHtoD(first, Pointer.to(HostMemory.floats(source)), 4096);
        JCudaDriver.cuMemcpyDtoD(second, first, 4096);
        JCudaDriver.cuMemsetD8(first, (byte) 1, 4096);
        JCudaDriver.cuMemsetD32(second.withByteOffset(8), 7, 2);
        float[] back = HostMemory.floats(download(second, 4096));
        assertThat(Float.floatToRawIntBits(back[2])).isEqualTo(7);
        back[2] = source[2];
        back[3] = source[3];
        assertThat(back).containsExactly(source);
        var ones = new byte[4096];
        download(first, 4096).get(ones);
        assertThat(ones).containsOnly(1);
    }

    @Test
    void newMemoryHoldsNan() {
        assertThat(HostMemory.floats(download(allocate(1024), 1024))).containsOnly(Float.NaN);
    }

    @Test
    void allocationsAreCountedAndEnd() {
        CUdeviceptr half = allocate(MEMORY / 2);
        assertThat(device.allocatedBytes()).isEqualTo(MEMORY / 2);
        var free = new long[1];
        var total = new long[1];
        JCudaDriver.cuMemGetInfo(free, total);
        assertThat(free).containsExactly(MEMORY / 2);
        assertThat(total).containsExactly(MEMORY);
        assertThat(result(() -> allocate(MEMORY / 2 + 1))).isEqualTo("CUDA_ERROR_OUT_OF_MEMORY");
        JCudaDriver.cuMemFree(half);
        JCudaDriver.cuMemFree(allocate(MEMORY));
        assertThat(device.allocatedBytes()).isZero();
        assertThat(result(() -> JCudaDriver.cuMemFree(half))).isEqualTo("CUDA_ERROR_INVALID_VALUE");
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("not the start of an allocation");
    }

    @Test
    void copiesStayInsideTheirAllocation() {
        CUdeviceptr memory = allocate(100);
        allocate(100);
        var host = Pointer.to(HostMemory.bytes(200));
        assertThat(result(() -> JCudaDriver.cuMemcpyHtoD(memory, host, 101))).isEqualTo("CUDA_ERROR_INVALID_VALUE");
        assertThat(device.takeFailure().orElseThrow())
                .hasMessageContaining("copy or fill of 101 bytes").hasMessageContaining("100 bytes has 100 left");
        assertThat(result(() -> JCudaDriver.cuMemcpyDtoH(host, memory.withByteOffset(99), 2)))
                .isEqualTo("CUDA_ERROR_INVALID_VALUE");
        assertThat(result(() -> JCudaDriver.cuMemsetD8(memory.withByteOffset(100), (byte) 0, 1)))
                .isEqualTo("CUDA_ERROR_INVALID_VALUE");
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("lies in no allocation");
        assertThat(device.takeFailure()).isEmpty();
        JCudaDriver.cuMemcpyDtoH(host, memory.withByteOffset(100), 0);
    }

    @Test
    void pinnedMemoryCanBeCopiedAsynchronously() {
        var pinned = new Pointer();
        JCudaDriver.cuMemAllocHost(pinned, 64);
        ByteBuffer bytes = pinned.getByteBuffer(0, 64);
        for (int i = 0; i < 64; i++) {
            bytes.put(i, (byte) i);
        }
        var stream = new CUstream();
        JCudaDriver.cuStreamCreate(stream, 1);
        CUdeviceptr memory = allocate(64);
        JCudaDriver.cuMemcpyHtoDAsync(memory, pinned, 64, stream);
        JCudaDriver.cuStreamSynchronize(stream);
        ByteBuffer back = HostMemory.bytes(64);
        JCudaDriver.cuMemcpyDtoHAsync(Pointer.to(back), memory, 64, null);
        assertThat(back.get(63)).isEqualTo((byte) 63);
        JCudaDriver.cuMemFreeHost(pinned);
        assertThat(result(() -> JCudaDriver.cuMemFreeHost(pinned))).isEqualTo("CUDA_ERROR_INVALID_VALUE");
    }

    /** What a copy delivers when the pinned buffer is written again, 2 over 1, after the step. */
    private static int delivered(int streamFlags, BiConsumer<CUstream, CUdeviceptr> step) {
        var pinned = new Pointer();
        JCudaDriver.cuMemHostAlloc(pinned, 4, 0);
        ByteBuffer buffer = pinned.getByteBuffer(0, 4).order(ByteOrder.nativeOrder());
        var stream = new CUstream();
        JCudaDriver.cuStreamCreate(stream, streamFlags);
        CUdeviceptr memory = allocate(4);
        buffer.putInt(0, 1);
        JCudaDriver.cuMemcpyHtoDAsync(memory, pinned, 4, stream);
        step.accept(stream, memory);
        buffer.putInt(0, 2);
        JCudaDriver.cuStreamSynchronize(stream);
        return download(memory, 4).getInt(0);
    }

    @Test
    void aBufferThatIsUsedAgainTooEarlyShows() {
        var other = new CUstream();
        JCudaDriver.cuStreamCreate(other, 1);
        var event = new CUevent();
        JCudaDriver.cuEventCreate(event, 0);
        assertThat(delivered(1, (stream, memory) -> { })).isEqualTo(2);
        assertThat(delivered(1, (stream, memory) -> JCudaDriver.cuStreamSynchronize(other))).isEqualTo(2);
        assertThat(delivered(1, (stream, memory) -> JCudaDriver.cuEventRecord(event, stream))).isEqualTo(2);
        assertThat(delivered(1, (stream, memory) -> JCudaDriver.cuStreamSynchronize(stream))).isEqualTo(1);
        assertThat(delivered(1, (stream, memory) -> JCudaDriver.cuCtxSynchronize())).isEqualTo(1);
        assertThat(delivered(1, (stream, memory) -> {
            JCudaDriver.cuEventRecord(event, stream);
            JCudaDriver.cuEventSynchronize(event);
        })).isEqualTo(1);
        assertThat(delivered(1, (stream, memory) -> {
            JCudaDriver.cuEventRecord(event, stream);
            JCudaDriver.cuStreamWaitEvent(other, event, 0);
        })).isEqualTo(1);
        assertThat(delivered(0, (stream, memory) -> JCudaDriver.cuMemsetD8(allocate(1), (byte) 0, 1)))
                .as("the default stream waits for blocking streams").isEqualTo(1);
        assertThat(delivered(1, (stream, memory) -> JCudaDriver.cuMemsetD8(allocate(1), (byte) 0, 1)))
                .as("but not for others").isEqualTo(2);
    }

    @Test
    void withoutChecksCopiesAreMadeAtOnce() {
        device.close();
        device = EmulatedDevice.start(EmulatorOptions.defaults(), MEMORY);
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
        assertThat(delivered(1, (stream, memory) -> { })).isEqualTo(1);
    }

    @Test
    void streamsAndEventsCheckTheirHandles() {
        var streams = new CUstream[] {new CUstream(), new CUstream()};
        var events = new CUevent[] {new CUevent(), new CUevent()};
        for (int i = 0; i < 2; i++) {
            JCudaDriver.cuStreamCreate(streams[i], 1);
            JCudaDriver.cuEventCreate(events[i], 0);
            JCudaDriver.cuEventRecord(events[i], streams[i]);
        }
        JCudaDriver.cuStreamWaitEvent(streams[1], events[0], 0);
        JCudaDriver.cuStreamQuery(streams[1]);
        JCudaDriver.cuEventQuery(events[1]);
        JCudaDriver.cuEventSynchronize(events[1]);
        var milliseconds = new float[1];
        JCudaDriver.cuEventElapsedTime(milliseconds, events[0], events[1]);
        assertThat(milliseconds[0]).isNotNegative().isFinite();
        JCudaDriver.cuEventDestroy(events[0]);
        JCudaDriver.cuStreamDestroy(streams[0]);
        assertThat(result(() -> JCudaDriver.cuEventDestroy(events[0]))).isEqualTo("CUDA_ERROR_INVALID_HANDLE");
        assertThat(result(() -> JCudaDriver.cuStreamSynchronize(streams[0]))).isEqualTo("CUDA_ERROR_INVALID_HANDLE");
        assertThat(result(() -> JCudaDriver.cuEventRecord(events[1], streams[0])))
                .isEqualTo("CUDA_ERROR_INVALID_HANDLE");
    }

    @Test
    void aContextBelongsToAThread() throws Exception {
        var context = new CUcontext();
        JCudaDriver.cuCtxGetCurrent(context);
        var results = new String[2];
        var thread = new Thread(() -> {
            results[0] = result(() -> allocate(16));
            JCudaDriver.cuCtxSetCurrent(context);
            results[1] = result(() -> allocate(16));
        });
        thread.start();
        thread.join();
        assertThat(results).containsExactly("CUDA_ERROR_INVALID_CONTEXT", "CUDA_SUCCESS");
        var primary = new CUcontext();
        JCudaDriver.cuDevicePrimaryCtxRetain(primary, new CUdevice());
        JCudaDriver.cuCtxPushCurrent(primary);
        JCudaDriver.cuCtxSynchronize();
        JCudaDriver.cuCtxPopCurrent(new CUcontext());
        JCudaDriver.cuDevicePrimaryCtxRelease(new CUdevice());
        assertThat(result(() -> JCudaDriver.cuCtxSetCurrent(primary))).isEqualTo("CUDA_ERROR_INVALID_CONTEXT");
    }

    @Test
    void callsThatItDoesNotHaveSaySo() {
        assertThat(result(() -> JCudaDriver.cuArrayDestroy(new CUarray()))).isEqualTo("CUDA_ERROR_NOT_SUPPORTED");
        var name = new String[1];
        JCudaDriver.cuGetErrorName(CUresult.CUDA_ERROR_NOT_SUPPORTED, name);
        assertThat(name).containsExactly("CUDA_ERROR_NOT_SUPPORTED");
        JCudaDriver.cuGetErrorString(CUresult.CUDA_ERROR_OUT_OF_MEMORY, name);
        assertThat(name).containsExactly("out of memory");
    }

    @Test
    void oneDeviceAtATimeAndNoneAfterClosing() {
        assertThatThrownBy(() -> EmulatedDevice.start(EmulatorOptions.defaults(), MEMORY))
                .isInstanceOf(EmulatorException.class).hasMessageContaining("already open");
        CUdeviceptr stale = allocate(64);
        device.close();
        assertThat(result(() -> JCudaDriver.cuInit(0))).isEqualTo("CUDA_ERROR_NO_DEVICE");
        assertThat(result(() -> allocate(64))).isEqualTo("CUDA_ERROR_NO_DEVICE");
        device = EmulatedDevice.start(EmulatorOptions.defaults(), 2 * MEMORY);
        assertThat(result(() -> allocate(64))).isEqualTo("CUDA_ERROR_INVALID_CONTEXT");
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
        assertThat(result(() -> JCudaDriver.cuMemFree(stale))).isEqualTo("CUDA_ERROR_INVALID_VALUE");
        allocate(MEMORY + 1);
    }

    @Test
    void severalDevicesHaveMemoryOfTheirOwn() {
        device.close();
        device = EmulatedDevice.start(EmulatorOptions.defaults(), MEMORY, 2);
        int[] count = {0};
        JCudaDriver.cuDeviceGetCount(count);
        assertThat(count[0]).isEqualTo(2);
        CUdevice[] devices = {new CUdevice(), new CUdevice()};
        CUcontext[] contexts = {new CUcontext(), new CUcontext()};
        CUdeviceptr[] memory = new CUdeviceptr[2];
        CUstream[] streams = {new CUstream(), new CUstream()};
        for (int i = 0; i < 2; i++) {
            JCudaDriver.cuDeviceGet(devices[i], i);
            JCudaDriver.cuDevicePrimaryCtxRetain(contexts[i], devices[i]);
            JCudaDriver.cuCtxSetCurrent(contexts[i]);
            memory[i] = allocate(MEMORY - (i << 20));
            JCudaDriver.cuStreamCreate(streams[i], 0);
            var now = new CUdevice();
            JCudaDriver.cuCtxGetDevice(now);
            assertThat(now).isEqualTo(devices[i]);
        }
        assertThat(device.allocatedBytes()).isEqualTo(2 * MEMORY - (1 << 20));
        assertThat(device.peakBytes(1)).isEqualTo(MEMORY - (1 << 20));
        assertThat(result(() -> JCudaDriver.cuMemsetD8(memory[0], (byte) 0, 1))).isEqualTo("CUDA_ERROR_INVALID_VALUE");
        assertThat(device.takeFailure(1)).get().extracting(Throwable::getMessage).asString()
                .contains("lies in no allocation");
        assertThat(device.takeFailure(0)).isEmpty();
        assertThat(result(() -> JCudaDriver.cuStreamSynchronize(streams[0]))).isEqualTo("CUDA_ERROR_INVALID_HANDLE");
        JCudaDriver.cuMemsetD8(memory[1], (byte) 0, 1);
        JCudaDriver.cuStreamSynchronize(streams[1]);
        assertThat(result(() -> JCudaDriver.cuDeviceGet(new CUdevice(), 2))).isEqualTo("CUDA_ERROR_INVALID_DEVICE");
    }

    @Test
    void othersFindItByTheNameOfTheDriver() {
        try (var arena = Arena.ofConfined()) {
            assertThat(SymbolLookup.libraryLookup(DriverBuild.SONAME, arena).find("cuLaunchKernel")).isPresent();
        }
        assertThat(DriverLibrary.driver(Stream.of("7f00-7f01 r-xp 0 00:00 0 /usr/lib/libc.so.6",
                "7f02-7f03 r-xp 0 00:00 0 /usr/lib/libcuda.so.550.1"))).contains("/usr/lib/libcuda.so.550.1");
        assertThat(DriverLibrary.driver(Stream.of("7f00-7f01 r-xp 0 00:00 0 /usr/lib/libcudart.so.12"))).isEmpty();
    }
}
