package jdiffusion.emulator.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static jdiffusion.emulator.driver.DriverMemory.address;
import static jdiffusion.emulator.driver.DriverMemory.upload;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jdiffusion.emulator.EmulatorOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Launches with clusters by {@code cuLaunchKernelEx}, and boxes of a tensor that one block gives to all. */
@NeedsCompiler
class ClusterLaunchTest {
    private static final int CLUSTER_DIMENSION = 4;
    private static final int PRIORITY = 8;
    private static final int COOPERATIVE = 2;
    private static final int INVALID_VALUE = 1;
    private static final int NOT_SUPPORTED = 801;
    private static final int COLUMNS = 48;
    private static final int ROWS = 40;
    /** A box is 32 floats of 8 rows. */
    private static final int BOX_FLOATS = 256;

    /** Each block of a cluster gives a box to all: the rank's rows 8 * rank, of column 32 of the tensor on. */
    private static final String PTX = """
            .version 8.0
            .target sm_90
            .address_size 64
            .visible .entry tiles(.param .align 64 .b8 map[128], .param .u64 out)
            CLUSTER
            {
                .reg .pred %p<4>;
                .reg .b32 %r<24>;
                .reg .b16 %h<2>;
                .reg .b64 %rd<8>;
                .shared .align 128 .b8 box[4096];
                .shared .align 8 .b64 bar;
                mov.b64 %rd0, map;
                cvta.param.u64 %rd1, %rd0;
                ld.param.u64 %rd2, [out];
                mov.u32 %r1, %tid.x;
                mov.u32 %r2, %cluster_ctarank;
                mov.u32 %r3, %cluster_nctarank;
                setp.eq.u32 %p1, %r1, 0;
                shl.b32 %r4, %r2, 10;
                mov.u32 %r5, box;
                add.u32 %r5, %r5, %r4;
                shl.b32 %r6, %r3, 10;
                shl.b32 %r7, %r2, 3;
                mov.u32 %r8, 1;
                shl.b32 %r8, %r8, %r3;
                sub.u32 %r8, %r8, 1;
                cvt.u16.u32 %h1, %r8;
                mov.u32 %r9, 32;
                @%p1 mbarrier.init.shared::cta.b64 [bar], 1;
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], %r6;
                fence.mbarrier_init.release.cluster;
                barrier.cluster.arrive.relaxed.aligned;
                barrier.cluster.wait.acquire.aligned;
                @%p1 cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%r5], [%rd1, {%r9, %r7}], [bar], %h1;
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [bar], 0;
                @!%p2 bra WAIT;
                mov.u32 %r10, %ctaid.x;
                mul.wide.u32 %rd3, %r10, 4096;
                add.u64 %rd2, %rd2, %rd3;
                shl.b32 %r11, %r1, 4;
                COPY:
                setp.ge.u32 %p3, %r11, %r6;
                @%p3 bra DONE;
                mov.u32 %r12, box;
                add.u32 %r12, %r12, %r11;
                ld.shared.v4.u32 {%r13, %r14, %r15, %r16}, [%r12];
                cvt.u64.u32 %rd4, %r11;
                add.u64 %rd4, %rd4, %rd2;
                st.global.v4.u32 [%rd4], {%r13, %r14, %r15, %r16};
                add.u32 %r11, %r11, 1024;
                bra COPY;
                DONE:
                barrier.cluster.arrive.aligned;
                barrier.cluster.wait.aligned;
                ret;
            }
            """;

    private final Arena arena = Arena.ofShared();
    private SymbolLookup symbols;
    private EmulatedDevice device;

    private void open(int capability, long seed) {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(true).withThreads(1).withSeed(seed)
                .withCapability(capability), 64L << 20);
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
        symbols = SymbolLookup.libraryLookup("libcuda.so.1", arena);
    }

    @AfterEach
    void close() {
        JCudaDriver.cuCtxPopCurrent(new CUcontext());
        device.close();
        arena.close();
    }

    private int call(String name, FunctionDescriptor of, Object... arguments) {
        try {
            return (int) Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), of)
                    .invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private MemorySegment function(String cluster) {
        MemorySegment handle = arena.allocate(ADDRESS);
        var two = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS);
        assertThat(call("cuModuleLoadData", two, handle, arena.allocateFrom(PTX.replace("CLUSTER", cluster)))).isZero();
        MemorySegment module = handle.get(ADDRESS, 0);
        assertThat(call("cuModuleGetFunction", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS), handle, module,
                arena.allocateFrom("tiles"))).isZero();
        return handle.get(ADDRESS, 0);
    }

    /** {@code attributes} come as number and three values. */
    private MemorySegment config(int blocks, int threads, int shared, int[]... attributes) {
        MemorySegment list = arena.allocate(72L * Math.max(1, attributes.length), 8);
        for (int i = 0; i < attributes.length; i++) {
            list.set(JAVA_INT, 72L * i, attributes[i][0]);
            for (int j = 1; j < attributes[i].length; j++) {
                list.set(JAVA_INT, 72L * i + 4 + 4 * j, attributes[i][j]);
            }
        }
        MemorySegment config = arena.allocate(56, 8);
        int[] sizes = {blocks, 1, 1, threads, 1, 1, shared};
        for (int i = 0; i < sizes.length; i++) {
            config.set(JAVA_INT, 4L * i, sizes[i]);
        }
        config.set(ADDRESS, 40, list);
        config.set(JAVA_INT, 48, attributes.length);
        return config;
    }

    private int launch(MemorySegment function, int blocks, MemorySegment map, long out, int[]... attributes) {
        MemorySegment config = config(blocks, 64, 0, attributes);
        MemorySegment arguments = arena.allocate(136, 64);
        arguments.copyFrom(map);
        arguments.set(JAVA_LONG, 128, out);
        MemorySegment extra = arena.allocate(ADDRESS, 5);
        extra.setAtIndex(JAVA_LONG, 0, 1);
        extra.setAtIndex(ADDRESS, 1, arguments);
        extra.setAtIndex(JAVA_LONG, 2, 2);
        extra.setAtIndex(ADDRESS, 3, arena.allocateFrom(JAVA_LONG, 136));
        return call("cuLaunchKernelEx", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS), config, function,
                MemorySegment.NULL, extra);
    }

    private MemorySegment map(long tensor) {
        MemorySegment map = arena.allocate(128, 64);
        int float32 = 7;
        assertThat(call("cuTensorMapEncodeTiled", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG,
                ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT), map, float32, 2, tensor,
                arena.allocateFrom(JAVA_LONG, COLUMNS, ROWS), arena.allocateFrom(JAVA_LONG, 4L * COLUMNS),
                arena.allocateFrom(JAVA_INT, 32, 8), arena.allocateFrom(JAVA_INT, 1, 1), 0, 0, 0, 0)).isZero();
        return map;
    }

    private static float value(int row, int column) {
        return column < COLUMNS ? 100 * row + column : 0;
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5})
    void boxesThatOneBlockGivesToAll(long seed) {
        open(90, seed);
        var tensor = new float[COLUMNS * ROWS];
        for (int i = 0; i < tensor.length; i++) {
            tensor[i] = value(i / COLUMNS, i % COLUMNS);
        }
        MemorySegment map = map(address(upload(HostMemory.floats(tensor))));
        int blocks = 8;
        CUdeviceptr out = upload(HostMemory.bytes(blocks * 4096));
        for (int size : new int[] {1, 2, 4}) {
            int[] dimension = {CLUSTER_DIMENSION, size, 1, 1};
            assertThat(launch(function(""), blocks, map, address(out), dimension, new int[] {PRIORITY, 0})).isZero();
            ByteBuffer result = HostMemory.bytes(blocks * 4096);
            JCudaDriver.cuMemcpyDtoH(Pointer.to(result), out, result.capacity());
            float[] got = HostMemory.floats(result);
            for (int i = 0; i < blocks * size * BOX_FLOATS; i++) {
                int block = i / (size * BOX_FLOATS);
                int at = i % (size * BOX_FLOATS);
                assertThat(got[block * 1024 + at]).as("float %d of block %d", at, block)
                        .isEqualTo(value(at / 32, 32 + at % 32));
            }
        }
    }

    @Test
    void whatIsRefused() {
        open(90, 0);
        MemorySegment map = map(address(upload(HostMemory.bytes(4 * COLUMNS * ROWS))));
        long out = address(upload(HostMemory.bytes(16 * 4096)));
        MemorySegment any = function("");
        assertThat(launch(any, 16, map, out, new int[] {CLUSTER_DIMENSION, 16, 1, 1})).isEqualTo(INVALID_VALUE);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("launch of tiles with clusters of (16, 1, 1), 16"
                + " blocks: at most 8 are possible here");
        assertThat(launch(any, 6, map, out, new int[] {CLUSTER_DIMENSION, 4, 1, 1})).isEqualTo(INVALID_VALUE);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("no multiple of its clusters");
        assertThat(launch(any, 6, map, out, new int[] {CLUSTER_DIMENSION, 0, 1, 1})).isEqualTo(INVALID_VALUE);
        assertThat(launch(any, 6, map, out, new int[] {COOPERATIVE, 1})).isEqualTo(NOT_SUPPORTED);
        MemorySegment pairs = function(".explicitcluster\n.reqnctapercluster 2, 1, 1");
        assertThat(launch(pairs, 4, map, out)).isZero();
        assertThat(launch(pairs, 4, map, out, new int[] {CLUSTER_DIMENSION, 4, 1, 1})).isEqualTo(INVALID_VALUE);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("the kernel is compiled for clusters of (2, 1, 1)");
        MemorySegment explicit = function(".explicitcluster");
        assertThat(launch(explicit, 4, map, out)).isEqualTo(INVALID_VALUE);
        assertThat(attribute(explicit, FunctionAttribute.CLUSTER_SIZE_MUST_BE_SET)).isEqualTo(1);
        assertThat(attribute(pairs, FunctionAttribute.CLUSTER_SIZE_MUST_BE_SET)).isZero();
        assertThat(attribute(pairs, FunctionAttribute.REQUIRED_CLUSTER_WIDTH)).isEqualTo(2);
        assertThat(attribute(any, FunctionAttribute.REQUIRED_CLUSTER_DEPTH)).isZero();
    }

    /** Clusters that fit at once, or the negative of what the call returns. */
    private int fit(MemorySegment function, MemorySegment config) {
        MemorySegment value = arena.allocate(JAVA_INT);
        int result = call("cuOccupancyMaxActiveClusters", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS), value,
                function, config);
        return result == 0 ? value.get(JAVA_INT, 0) : -result;
    }

    @Test
    void clustersThatFitAtOnce() {
        open(90, 0);
        MemorySegment any = function("");
        int[] four = {CLUSTER_DIMENSION, 4, 1, 1};
        int[] eight = {CLUSTER_DIMENSION, 2, 2, 2};
        // By 2048 threads, and by 228 KiB of which a block takes 5 static, 40 dynamic and 1 of the system.
        assertThat(fit(any, config(8, 64, 0, four))).isEqualTo(132 * 32 / 4);
        assertThat(fit(any, config(8, 1024, 0, four))).isEqualTo(132 * 2 / 4);
        assertThat(fit(any, config(8, 64, 40 << 10, four))).isEqualTo(132 * 5 / 4);
        assertThat(fit(any, config(8, 64, 0))).isEqualTo(-INVALID_VALUE);
        assertThat(device.takeFailure().orElseThrow()).hasMessage("occupancy of tiles with no size of clusters");
        assertThat(fit(any, config(6, 64, 0, four))).isEqualTo(-INVALID_VALUE);
        assertThat(fit(any, config(8, 64, 49 << 10, four))).isEqualTo(-INVALID_VALUE);
        MemorySegment pairs = function(".explicitcluster\n.reqnctapercluster 2, 1, 1");
        assertThat(fit(pairs, config(8, 1024, 0))).isEqualTo(132);
        assertThat(fit(pairs, config(8, 1024, 0, four))).isEqualTo(-INVALID_VALUE);
        assertThat(fit(any, config(8, 1024, 0, eight))).isEqualTo(-INVALID_VALUE);
    }

    private int attribute(MemorySegment function, int attribute) {
        MemorySegment value = arena.allocate(JAVA_INT);
        assertThat(call("cuFuncGetAttribute", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS), value, attribute,
                function)).isZero();
        return value.get(JAVA_INT, 0);
    }

    @Test
    void olderDevicesHaveNone() {
        open(80, 0);
        MemorySegment handle = arena.allocate(ADDRESS);
        var two = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS);
        assertThat(call("cuModuleLoadData", two, handle, arena.allocateFrom(
                ".version 8.0\n.target sm_80\n.address_size 64\n.entry tiles(.param .align 64 .b8 map[128], .param .u64 out)"
                + " { ret; }"))).isZero();
        MemorySegment module = handle.get(ADDRESS, 0);
        assertThat(call("cuModuleGetFunction", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS), handle, module,
                arena.allocateFrom("tiles"))).isZero();
        assertThat(launch(handle.get(ADDRESS, 0), 4, arena.allocate(128, 64), 0, new int[] {CLUSTER_DIMENSION, 2, 1, 1}))
                .isEqualTo(INVALID_VALUE);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining(
                "the device has compute capability 8.0, and clusters are from 9.0 on");
    }
}
