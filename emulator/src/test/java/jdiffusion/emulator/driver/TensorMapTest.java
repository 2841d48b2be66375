package jdiffusion.emulator.driver;

import static jdiffusion.emulator.driver.DriverMemory.address;
import static jdiffusion.emulator.driver.DriverMemory.upload;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jdiffusion.emulator.EmulatorOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Boxes of tensors, there and back, against plain loops: every rank, every pattern, boxes that reach outside. */
@NeedsCompiler
class TensorMapTest {
    private static final int THREADS = 64;
    /** What the box of a load takes at most; stored boxes lie behind it. */
    private static final int MOST_BYTES = 32 << 10;
    static final int MAP_BYTES = 128;
    /** Types by the driver's numbers, with their bytes. */
    private static final int UINT8 = 0;
    private static final int FLOAT32 = 7;
    private static final int BFLOAT16 = 9;
    static final int[] ELEMENT_BYTES = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2};

    private final Arena arena = Arena.ofShared();
    private EmulatedDevice device;

    private void open(int capability, long seed) {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(true).withThreads(1).withSeed(seed)
                .withCapability(capability), 64L << 20);
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
    }

    @AfterEach
    void close() {
        shut();
        arena.close();
    }

    /** A thread may have so many contexts only. */
    private void shut() {
        JCudaDriver.cuCtxPopCurrent(new CUcontext());
        device.close();
    }

    /** A kernel that copies a box at some coordinates to shared memory, all of that to where the second pointer says. */
    static String load(int rank) {
        return kernel("load" + rank, """
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], %r20;
                @%p1 cp.async.bulk.tensor.RANKd.shared::cluster.global.tile.mbarrier::complete_tx::bytes [box], [%rd1, {COORDINATES}], [bar];
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [bar], 0;
                @!%p2 bra WAIT;
                shl.b32 %r1, %r10, 4;
                COPY:
                setp.ge.u32 %p3, %r1, %r20;
                @%p3 bra DONE;
                add.u32 %r2, %r1, %r3;
                cvt.u64.u32 %rd3, %r1;
                add.u64 %rd3, %rd3, %rd2;
                ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r2];
                st.global.v4.u32 [%rd3], {%r4, %r5, %r6, %r7};
                add.u32 %r1, %r1, 1024;
                bra COPY;
                DONE:
                """, rank);
    }

    /** The reverse. */
    static String store(int rank) {
        return kernel("store" + rank, """
                shl.b32 %r1, %r10, 4;
                COPY:
                setp.ge.u32 %p3, %r1, %r20;
                @%p3 bra DONE;
                add.u32 %r2, %r1, %r3;
                cvt.u64.u32 %rd3, %r1;
                add.u64 %rd3, %rd3, %rd2;
                ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd3];
                st.shared.v4.u32 [%r2], {%r4, %r5, %r6, %r7};
                add.u32 %r1, %r1, 1024;
                bra COPY;
                DONE:
                fence.proxy.async.shared::cta;
                bar.sync 0;
                @%p1 cp.async.bulk.tensor.RANKd.global.shared::cta.tile.bulk_group [%rd1, {COORDINATES}], [box];
                @%p1 cp.async.bulk.commit_group;
                @%p1 cp.async.bulk.wait_group.read 0;
                @%p1 cp.async.bulk.wait_group 0;
                """, rank);
    }

    private static String kernel(String name, String body, int rank) {
        String coordinates = IntStream.range(0, rank).mapToObj(i -> "%c" + i).collect(Collectors.joining(", "));
        return """
                .visible .entry NAME(
                    .param .align 64 .b8 NAME_map[128],
                    .param .u64 NAME_data,
                    .param .align 4 .b8 NAME_at[20],
                    .param .u32 NAME_bytes
                )
                {
                    .reg .pred %p<4>;
                    .reg .b32 %r<24>;
                    .reg .b32 %c<5>;
                    .reg .b64 %rd<6>;
                    .shared .align 8 .b64 bar;
                    mov.b64 %rd0, NAME_map;
                    cvta.param.u64 %rd1, %rd0;
                    ld.param.u64 %rd2, [NAME_data];
                    ld.param.u32 %c0, [NAME_at];
                    ld.param.u32 %c1, [NAME_at+4];
                    ld.param.u32 %c2, [NAME_at+8];
                    ld.param.u32 %c3, [NAME_at+12];
                    ld.param.u32 %c4, [NAME_at+16];
                    ld.param.u32 %r20, [NAME_bytes];
                    mov.u32 %r10, %tid.x;
                    mov.u32 %r3, box;
                    setp.eq.s32 %p1, %r10, 0;
                    @%p1 prefetch.tensormap [%rd1];
                    @%p1 mbarrier.init.shared::cta.b64 [bar], 1;
                    @%p1 fence.mbarrier_init.release.cluster;
                    @%p1 fence.proxy.async;
                    bar.sync 0;
                BODY
                    ret;
                }
                """.replace("BODY", body).replace("NAME", name).replace("RANK", Integer.toString(rank))
                .replace("COORDINATES", coordinates);
    }

    static String module(String kernels) {
        return ".version 8.0\n.target sm_90\n.address_size 64\n.extern .shared .align 1024 .b8 box[];\n" + kernels;
    }

    /** A tensor in memory of the device whose lines have gaps between them, and a box of it. */
    private record Case(int type, long[] dims, int[] box, int[] at, int swizzle) {
        int element() {
            return ELEMENT_BYTES[type];
        }

        long stride(int dimension) {
            long stride = element();
            for (int i = 0; i < dimension; i++) {
                stride = i == 0 ? Math.ceilDiv(dims[0] * element() + 16, 16) * 16 : stride * dims[i] + 16;
            }
            return stride;
        }

        int bytes() {
            return Math.toIntExact(stride(dims.length - 1) * dims[dims.length - 1] + 16);
        }

        int boxBytes() {
            return Arrays.stream(box).reduce(element(), Math::multiplyExact);
        }

        /** Where a byte of the box, counted without a pattern, lies in memory; -1 outside the tensor. */
        long source(int byteOfBox) {
            long source = byteOfBox % element();
            int rest = byteOfBox / element();
            for (int i = 0; i < box.length; i++) {
                long coordinate = at[i] + rest % box[i];
                rest /= box[i];
                if (coordinate < 0 || coordinate >= dims[i]) {
                    return -1;
                }
                source += coordinate * stride(i);
            }
            return source;
        }

        int target(int byteOfBox) {
            return byteOfBox ^ (byteOfBox >> 7) % (1 << swizzle) * 16;
        }
    }

    private int encode(MemorySegment map, Case c, long address, int fill) {
        int rank = c.dims().length;
        long[] strides = IntStream.range(1, rank).mapToLong(c::stride).toArray();
        int[] steps = new int[rank];
        Arrays.fill(steps, 1);
        return encode(map, c.type(), address, c.dims(), strides, c.box(), steps, 0, c.swizzle(), fill);
    }

    private int encode(MemorySegment map, int type, long address, long[] dims, long[] strides, int[] box, int[] steps,
            int interleave, int swizzle, int fill) {
        var of = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.ADDRESS,
                ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
        MethodHandle call = Linker.nativeLinker().downcallHandle(SymbolLookup.libraryLookup("libcuda.so.1", arena)
                .findOrThrow("cuTensorMapEncodeTiled"), of);
        try {
            return (int) call.invokeExact(map, type, dims.length, address,
                    arena.allocateFrom(ValueLayout.JAVA_LONG, dims), arena.allocateFrom(ValueLayout.JAVA_LONG, strides),
                    arena.allocateFrom(ValueLayout.JAVA_INT, box), arena.allocateFrom(ValueLayout.JAVA_INT, steps),
                    interleave, swizzle, 0, fill);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    static ByteBuffer download(CUdeviceptr pointer, int bytes) {
        ByteBuffer host = HostMemory.bytes(bytes);
        JCudaDriver.cuMemcpyDtoH(Pointer.to(host), pointer, bytes);
        return host;
    }

    static ByteBuffer random(int bytes) {
        ByteBuffer buffer = HostMemory.bytes(bytes);
        var random = new SplittableRandom(bytes);
        for (int i = 0; i < bytes; i++) {
            buffer.put(i, (byte) random.nextInt());
        }
        return buffer;
    }

    private static void launch(String ptx, String name, MemorySegment map, CUdeviceptr data, Case c) {
        launch(ptx, name, map, data, c.at(), c.boxBytes());
    }

    /** Launches one of the kernels with the coordinates of a box of some bytes. */
    static void launch(String ptx, String name, MemorySegment map, CUdeviceptr data, int[] at, int boxBytes) {
        var module = new CUmodule();
        JCudaDriver.cuModuleLoadDataEx(module, Pointer.to(HostMemory.text(ptx)), 0, new int[0], new Pointer());
        var function = new CUfunction();
        JCudaDriver.cuModuleGetFunction(function, module, name);
        ByteBuffer arguments = HostMemory.bytes(160).putLong(128, address(data)).putInt(156, boxBytes);
        arguments.put(0, map.asByteBuffer(), 0, MAP_BYTES);
        for (int i = 0; i < at.length; i++) {
            arguments.putInt(136 + 4 * i, at[i]);
        }
        JCudaDriver.cuLaunchKernel(function, 1, 1, 1, THREADS, 1, 1, MOST_BYTES, new CUstream(), null,
                Pointer.to(JCudaDriver.CU_LAUNCH_PARAM_BUFFER_POINTER, Pointer.to(arguments),
                        JCudaDriver.CU_LAUNCH_PARAM_BUFFER_SIZE,
                        Pointer.to(HostMemory.bytes(Long.BYTES).putLong(0, arguments.capacity())),
                        JCudaDriver.CU_LAUNCH_PARAM_END));
    }

    static long[] longs(String list) {
        return Arrays.stream(list.split(" ")).mapToLong(Long::parseLong).toArray();
    }

    static int[] ints(String list) {
        return Arrays.stream(list.split(" ")).mapToInt(Integer::parseInt).toArray();
    }

    @ParameterizedTest
    @CsvSource({
        "0, 100, 32, 80, 0",
        "9, 70 9, 64 16, 6 -3, 3",
        "9, 70 9, 64 16, -7 5, 3",
        "9, 33 21, 32 7, 1 17, 2",
        "9, 33 21, 16 11, 24 -2, 1",
        "7, 37 11, 32 12, -5 3, 3",
        "4, 5 6 7, 2 3 4, 4 -1 5, 0",
        "4, 9 6 7, 16 3 4, -4 4 -2, 3",
        "7, 8 3 5 2, 16 2 3 2, -1 2 -1 1, 2",
        "9, 20 3 2 3 2, 16 2 2 2 2, 15 -1 1 2 -1, 1",
        "9, 20 3 2 3 2, 8 4 2 1 3, 40 0 0 0 0, 0"})
    void boxesThereAndBack(int type, String dims, String box, String at, int swizzle) {
        var c = new Case(type, longs(dims), ints(box), ints(at), swizzle);
        for (long seed = 0; seed < 3; seed++) {
            if (seed > 0) {
                shut();
            }
            open(90, seed);
            ByteBuffer tensor = random(c.bytes());
            CUdeviceptr in = upload(tensor);
            CUdeviceptr out = upload(random(c.boxBytes()));
            MemorySegment map = arena.allocate(MAP_BYTES, 64);
            assertThat(encode(map, c, address(in), 0)).isZero();
            launch(module(load(c.dims().length)), "load" + c.dims().length, map, out, c);
            ByteBuffer loaded = download(out, c.boxBytes());
            for (int i = 0; i < c.boxBytes(); i++) {
                assertThat(loaded.get(c.target(i))).as("byte %d of the box", i)
                        .isEqualTo(c.source(i) < 0 ? 0 : tensor.get((int) c.source(i)));
            }
            ByteBuffer changed = random(c.boxBytes());
            launch(module(store(c.dims().length)), "store" + c.dims().length, map, upload(changed), c);
            ByteBuffer expected = HostMemory.bytes(c.bytes()).put(0, tensor, 0, c.bytes());
            for (int i = 0; i < c.boxBytes(); i++) {
                if (c.source(i) >= 0) {
                    expected.put((int) c.source(i), changed.get(c.target(i)));
                }
            }
            assertThat(download(in, c.bytes())).isEqualTo(expected);
        }
    }

    /** Boxes of int32, and of float16 whose last ones are alone in a word, are combined with what is in the tensor. */
    @ParameterizedTest
    @CsvSource({"3, add, 37 11, 32 12, -5 3", "3, max, 37 11, 32 12, 20 -4", "2, inc, 40 3, 16 3, 30 0",
        "2, xor, 40 3, 16 3, 30 0", "6, add, 33 5, 16 4, 20 2", "6, min, 33 5, 16 4, -3 2"})
    void boxesAreCombined(int type, String operation, String dims, String box, String at) {
        var c = new Case(type, longs(dims), ints(box), ints(at), 0);
        String kernel = store(2).replace("cp.async.bulk.tensor.2d.global.shared::cta.tile",
                "cp.reduce.async.bulk.tensor.2d.global.shared::cta." + operation + ".tile");
        open(90, 0);
        ByteBuffer tensor = random(c.bytes());
        ByteBuffer with = random(c.boxBytes());
        for (int i = 1; type == 6 && i < c.bytes(); i += 2) {
            tensor.put(i, (byte) (tensor.get(i) & 0xbf));
            if (i < c.boxBytes()) {
                with.put(i, (byte) (with.get(i) & 0xbf));
            }
        }
        CUdeviceptr in = upload(tensor);
        MemorySegment map = arena.allocate(MAP_BYTES, 64);
        assertThat(encode(map, c, address(in), 0)).isZero();
        launch(module(kernel), "store2", map, upload(with), c);
        ByteBuffer expected = HostMemory.bytes(c.bytes()).put(0, tensor, 0, c.bytes());
        for (int i = 0; i < c.boxBytes(); i += c.element()) {
            int place = (int) c.source(i);
            if (place < 0) {
                continue;
            }
            if (type == 6) {
                float a = Float.float16ToFloat(tensor.getShort(place));
                float b = Float.float16ToFloat(with.getShort(i));
                expected.putShort(place, Float.floatToFloat16(operation.equals("add") ? a + b : Math.min(a, b)));
            } else {
                int a = tensor.getInt(place);
                int b = with.getInt(i);
                expected.putInt(place, switch (operation) {
                    case "add" -> a + b;
                    case "max" -> Math.max(a, b);
                    case "inc" -> Integer.compareUnsigned(a, b) >= 0 ? 0 : a + 1;
                    default -> a ^ b;
                });
            }
        }
        assertThat(download(in, c.bytes())).isEqualTo(expected);
    }

    @Test
    void numbersThatCannotBeCombined() {
        open(90, 0);
        var c = new Case(FLOAT32, new long[] {8, 4}, new int[] {8, 4}, new int[] {0, 0}, 0);
        MemorySegment map = arena.allocate(MAP_BYTES, 64);
        CUdeviceptr in = upload(random(c.bytes()));
        assertThat(encode(map, c, address(in), 0)).isZero();
        String kernel = store(2).replace("cp.async.bulk.tensor.2d.global.shared::cta.tile",
                "cp.reduce.async.bulk.tensor.2d.global.shared::cta.xor.tile");
        assertThatThrownBy(() -> launch(module(kernel), "store2", map, upload(random(c.boxBytes())), c))
                .isInstanceOf(CudaException.class);
        assertThat(device.takeFailure().orElseThrow())
                .hasMessageContaining("numbers of the tensor map's type 7 cannot be combined so");
    }

    @Test
    void notANumberOutsideTheTensor() {
        open(90, 0);
        var c = new Case(FLOAT32, new long[] {8}, new int[] {8}, new int[] {4}, 0);
        CUdeviceptr in = upload(random(c.bytes()));
        CUdeviceptr out = upload(random(c.boxBytes()));
        MemorySegment map = arena.allocate(MAP_BYTES, 64);
        assertThat(encode(map, c, address(in), 1)).isZero();
        launch(module(load(1)), "load1", map, out, c);
        assertThat(download(out, c.boxBytes()).getFloat(16)).isNaN();
        assertThat(encode(map, new Case(UINT8, new long[] {64}, new int[] {32}, new int[] {0}, 0), address(in), 1))
                .as("there is no such integer").isEqualTo(1);
    }

    @Test
    void whatTheManualForbids() {
        open(90, 0);
        MemorySegment map = arena.allocate(MAP_BYTES + 64, 64);
        long[] dims = {64, 8};
        long[] strides = {128};
        int[] box = {64, 8};
        int[] steps = {1, 1};
        long at = 1 << 20;
        assertThat(encode(map, BFLOAT16, at, dims, strides, box, steps, 0, 3, 0)).isZero();
        assertThat(encode(map.asSlice(16), BFLOAT16, at, dims, strides, box, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, 13, at, dims, strides, box, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at + 8, dims, strides, box, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, new long[] {0, 8}, strides, box, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, new long[] {136}, box, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, strides, new int[] {64, 257}, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, strides, new int[] {64, 0}, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, strides, new int[] {12, 8}, steps, 0, 0, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, strides, new int[] {128, 8}, steps, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, strides, box, new int[] {1, 9}, 0, 3, 0)).isEqualTo(1);
        assertThat(encode(map, BFLOAT16, at, dims, strides, new int[] {32, 8}, steps, 0, 3, 0))
                .as("a pattern wider than the box").isEqualTo(801);
        assertThat(encode(map, BFLOAT16, at, dims, strides, box, steps, 1, 3, 0)).as("interleaved").isEqualTo(801);
    }

    @Test
    void whatIsNoMap() {
        open(90, 0);
        var c = new Case(FLOAT32, new long[] {8}, new int[] {8}, new int[] {0}, 0);
        assertThatThrownBy(() -> launch(module(load(1)), "load1", arena.allocate(MAP_BYTES, 64), upload(random(64)), c))
                .isInstanceOf(CudaException.class);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("no tensor map is at");
    }

    /** Rank, type, pixels of a column, box and steps, each beyond what the driver writes. */
    @ParameterizedTest
    @CsvSource({"37, 9", "37, 0", "36, 13", "43, 255", "45, 255", "44, 0", "54, 0"})
    void aMapThatWasOverwritten(int at, int value) {
        open(90, 0);
        var c = new Case(FLOAT32, new long[] {8}, new int[] {8}, new int[] {0}, 0);
        MemorySegment map = arena.allocate(MAP_BYTES, 64);
        assertThat(encode(map, c, 1 << 20, 0)).isZero();
        map.set(ValueLayout.JAVA_BYTE, at, (byte) value);
        assertThatThrownBy(() -> launch(module(load(1)), "load1", map, upload(random(64)), c))
                .isInstanceOf(CudaException.class);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("has been overwritten since it was made");
    }

    @Test
    void onlyCapability90HasThem() {
        open(80, 0);
        MemorySegment map = arena.allocate(MAP_BYTES, 64);
        var c = new Case(FLOAT32, new long[] {8}, new int[] {8}, new int[] {0}, 0);
        assertThat(encode(map, c, 1 << 20, 0)).isEqualTo(801);
        assertThatThrownBy(() -> launch(module(load(1)), "load1", map, upload(random(64)), c))
                .isInstanceOf(CudaException.class);
        assertThat(device.takeFailure().orElseThrow())
                .hasMessage("the module is for sm_90, and the device has compute capability 8.0");
    }

    @Test
    void whatTheDeviceSaysOfItself() {
        open(90, 0);
        int[] value = new int[1];
        JCudaDriver.cuDeviceGetAttribute(value, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                new CUdevice());
        assertThat(value[0]).isEqualTo(9);
        JCudaDriver.cuDeviceGetAttribute(value,
                CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, new CUdevice());
        assertThat(value[0]).isEqualTo(227 << 10).isEqualTo(new DeviceLimits(90).sharedBytesOptIn());
        var limits = new DeviceLimits(90);
        assertThat(limits.obstacle("sm_90a")).isNull();
        assertThat(limits.obstacle("sm_80")).isNull();
        assertThat(limits.obstacle("sm_100a")).isNotNull();
        assertThat(new DeviceLimits(80).obstacle("sm_90a")).isNotNull();
        var module = new CUmodule();
        JCudaDriver.cuModuleLoadDataEx(module, Pointer.to(HostMemory.text(
                ".version 8.0\n.target sm_90a\n.address_size 64\n.entry k() { ret; }")), 0, new int[0], new Pointer());
        var function = new CUfunction();
        JCudaDriver.cuModuleGetFunction(function, module, "k");
        JCudaDriver.cuFuncSetAttribute(function,
                CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 227 << 10);
        assertThatThrownBy(() -> JCudaDriver.cuFuncSetAttribute(function,
                CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (227 << 10) + 1))
                .isInstanceOf(CudaException.class);
    }
}
