package jdiffusion.emulator.driver;

import static jdiffusion.emulator.driver.DriverMemory.address;
import static jdiffusion.emulator.driver.DriverMemory.upload;
import static jdiffusion.emulator.driver.TensorMapTest.download;
import static jdiffusion.emulator.driver.TensorMapTest.ints;
import static jdiffusion.emulator.driver.TensorMapTest.launch;
import static jdiffusion.emulator.driver.TensorMapTest.longs;
import static jdiffusion.emulator.driver.TensorMapTest.module;
import static jdiffusion.emulator.driver.TensorMapTest.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jcuda.CudaException;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.PtxProgram;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Columns of pixels by tensor maps of the mode im2col, there and back, against the numbers of positions in the box. */
@NeedsCompiler
class Im2colTest {
    private static final String CASES = """
        7, 8 10 3, -1, 1, 8, 12, 1 1 1, 0 -1 0, 2, 1
        7, 8 10 3, -3, -2, 8, 40, 1 2 1, 0 1 1, 5, 1
        9, 40 7 6 2, -1 -1, -1 -1, 16, 20, 1 2 2 1, 32 1 3 0, 1 0, 1
        9, 70 5 4 3, -1 -1, 1 1, 64, 100, 1 1 1 1, -6 2 0 1, 0 2, 3
        0, 64 4 3 5 2, -2 0 -1, 0 -1 1, 32, 64, 1 1 2 3 1, 32 -1 0 2 0, 2 1 0, 1
        3, 4 6 5 2, 0 0, -2 -2, 4, 9, 1 1 1 1, 0 3 2 1, 2 2, 0
        """;

    private final Arena arena = Arena.ofShared();
    private EmulatedDevice device;

    private void open(long seed) {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(true).withThreads(1).withSeed(seed)
                .withCapability(90), 64L << 20);
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
    }

    @AfterEach
    void close() {
        if (device != null) {
            shut();
        }
        arena.close();
    }

    private void shut() {
        JCudaDriver.cuCtxPopCurrent(new CUcontext());
        device.close();
        device = null;
    }

    /** Images (C, W, H, D, N, of these three to five) with gaps between lines, and a column of pixels. */
    private record Case(int type, long[] dims, int[] lower, int[] upper, int channels, int pixels, int[] steps,
            int[] at, int[] offsets, int swizzle) {
        int element() {
            return TensorMapTest.ELEMENT_BYTES[type];
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

        int columnBytes() {
            return channels * pixels * element();
        }

        /** Positions of the box along a dimension. */
        private long positions(int i) {
            return Math.ceilDiv(dims[i] + upper[i - 1] - lower[i - 1], steps[i]);
        }

        /** Where a byte of the column, counted without a pattern, lies in memory; -1 outside the images. */
        long source(int byteOfColumn, boolean offset) {
            int last = dims.length - 1;
            long number = at[last];
            for (int i = last - 1; i > 0; i--) {
                number = number * positions(i) + (at[i] - lower[i - 1]) / steps[i];
            }
            number += byteOfColumn / (channels * element());
            long channel = at[0] + byteOfColumn / element() % channels;
            long source = byteOfColumn % element() + channel * element();
            boolean inside = channel >= 0 && channel < dims[0];
            for (int i = 1; i <= last; i++) {
                long coordinate = number;
                if (i < last) {
                    coordinate = lower[i - 1] + number % positions(i) * steps[i] + (offset ? offsets[i - 1] : 0);
                    number /= positions(i);
                }
                inside &= coordinate >= 0 && coordinate < dims[i];
                source += coordinate * stride(i);
            }
            return inside ? source : -1;
        }

        int target(int byteOfColumn) {
            return byteOfColumn ^ (byteOfColumn >> 7) % (1 << swizzle) * 16;
        }
    }

    private static Case of(String type, String... rest) {
        return new Case(Integer.parseInt(type), longs(rest[0]), ints(rest[1]), ints(rest[2]), Integer.parseInt(rest[3]),
                Integer.parseInt(rest[4]), ints(rest[5]), ints(rest[6]), ints(rest[7]), Integer.parseInt(rest[8]));
    }

    private int encode(MemorySegment map, Case c, long address, int fill) {
        var of = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.ADDRESS,
                ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT);
        long[] strides = IntStream.range(1, c.dims().length).mapToLong(c::stride).toArray();
        try {
            return (int) Linker.nativeLinker().downcallHandle(SymbolLookup.libraryLookup("libcuda.so.1", arena)
                    .findOrThrow("cuTensorMapEncodeIm2col"), of).invokeExact(map, c.type(), c.dims().length, address,
                    arena.allocateFrom(ValueLayout.JAVA_LONG, c.dims()),
                    arena.allocateFrom(ValueLayout.JAVA_LONG, strides),
                    arena.allocateFrom(ValueLayout.JAVA_INT, c.lower()),
                    arena.allocateFrom(ValueLayout.JAVA_INT, c.upper()), c.channels(), c.pixels(),
                    arena.allocateFrom(ValueLayout.JAVA_INT, c.steps()), 0, c.swizzle(), 0, fill);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static String load(Case c) {
        String offsets = Arrays.stream(c.offsets()).mapToObj(Integer::toString).collect(Collectors.joining(", "));
        return module(TensorMapTest.load(c.dims().length).replace(".tile.", ".im2col.").replace("}], [bar];",
                "}], [bar], {" + offsets + "};\n@%p1 cp.async.bulk.prefetch.tensor." + c.dims().length
                + "d.L2.global.im2col [%rd1, {" + IntStream.range(0, c.dims().length).mapToObj(i -> "%c" + i)
                .collect(Collectors.joining(", ")) + "}], {" + offsets + "};"));
    }

    @ParameterizedTest
    @CsvSource(textBlock = CASES)
    void columnsThereAndBack(String type, String dims, String lower, String upper, String channels, String pixels,
            String steps, String at, String offsets, String swizzle) {
        Case c = of(type, dims, lower, upper, channels, pixels, steps, at, offsets, swizzle);
        int rank = c.dims().length;
        for (long seed = 0; seed < 3; seed++) {
            if (seed > 0) {
                shut();
            }
            open(seed);
            ByteBuffer images = random(c.bytes());
            CUdeviceptr in = upload(images);
            CUdeviceptr out = upload(random(c.columnBytes()));
            MemorySegment map = arena.allocate(TensorMapTest.MAP_BYTES, 64);
            assertThat(encode(map, c, address(in), 0)).isZero();
            launch(load(c), "load" + rank, map, out, c.at(), c.columnBytes());
            ByteBuffer loaded = download(out, c.columnBytes());
            for (int i = 0; i < c.columnBytes(); i++) {
                long source = c.source(i, true);
                assertThat(loaded.get(c.target(i))).as("byte %d of the column", i)
                        .isEqualTo(source < 0 ? 0 : images.get((int) source));
            }
            ByteBuffer changed = random(c.columnBytes());
            boolean adds = c.type() == 3;
            String store = TensorMapTest.store(rank).replace(".tile.", ".im2col_no_offs.");
            launch(module(!adds ? store : store.replace("cp.async.bulk.tensor", "cp.reduce.async.bulk.tensor")
                    .replace("shared::cta.im2col", "shared::cta.add.im2col")), "store" + rank, map, upload(changed),
                    c.at(), c.columnBytes());
            ByteBuffer expected = HostMemory.bytes(c.bytes()).put(0, images, 0, c.bytes());
            for (int i = 0; i < c.columnBytes(); i += adds ? 4 : 1) {
                int source = (int) c.source(i, false);
                if (source >= 0 && adds) {
                    expected.putInt(source, expected.getInt(source) + changed.getInt(c.target(i)));
                } else if (source >= 0) {
                    expected.put(source, changed.get(c.target(i)));
                }
            }
            assertThat(download(in, c.bytes())).isEqualTo(expected);
        }
    }

    private static Case usual() {
        return of("9", "16 5 4 2", "-1 -1", "-1 -1", "8", "6", "1 1 1 1", "0 -1 0 0", "0 1", "0");
    }

    @Test
    void notANumberOutsideTheImages() {
        open(0);
        Case c = usual();
        CUdeviceptr in = upload(random(c.bytes()));
        CUdeviceptr out = upload(random(c.columnBytes()));
        MemorySegment map = arena.allocate(TensorMapTest.MAP_BYTES, 64);
        assertThat(encode(map, c, address(in), 1)).isZero();
        launch(load(c), "load4", map, out, c.at(), c.columnBytes());
        for (int i = 0; i < 8; i++) {
            assertThat(Float.intBitsToFloat(download(out, c.columnBytes()).getShort(2 * i) << 16)).isNaN();
        }
    }

    @ParameterizedTest
    @CsvSource({"'0 4 0 0', '', 'coordinate 1 is 4, outside the map''s box of pixels from -1 to 3'",
        "'0 0 -2 0', '', 'coordinate 2 is -2, outside the map''s box of pixels from -1 to 2'",
        "'0 0 0 0', '.tile.', 'the tensor map is of cuTensorMapEncodeIm2col, and the instruction''s mode tile'"})
    void whatDoesNotFitTheMap(String at, String mode, String words) {
        open(0);
        Case c = usual();
        CUdeviceptr in = upload(random(c.bytes()));
        MemorySegment map = arena.allocate(TensorMapTest.MAP_BYTES, 64);
        assertThat(encode(map, c, address(in), 0)).isZero();
        String kernel = mode.isEmpty() ? load(c) : module(TensorMapTest.load(4));
        assertThatThrownBy(() -> launch(kernel, "load4", map, in, ints(at), c.columnBytes()))
                .isInstanceOf(CudaException.class);
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining(words);
    }

    @ParameterizedTest
    @CsvSource(textBlock = """
        9, 16 5, -1 -1, -1 -1, 8, 6, 1 1, 0 0, 0, 0
        9, 16 5 4 2, -129 -1, -1 -1, 8, 6, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 2, -1 -1, 0 128, 8, 6, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 3 2, -17 -1 0, 0 0 0, 8, 6, 1 1 1 1 1, 0 0 0 0 0, 0 0 0, 0
        9, 16 5 4 2, 2 0, -3 0, 8, 6, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 2, 0 0, 0 0, 8, 0, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 2, 0 0, 0 0, 8, 1025, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 2, 0 0, 0 0, 257, 6, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 2, 0 0, 0 0, 12, 6, 1 1 1 1, 0 0 0 0, 0 0, 0
        9, 16 5 4 2, 0 0, 0 0, 8, 6, 1 9 1 1, 0 0 0 0, 0 0, 0
        """)
    void whatTheManualForbids(String type, String dims, String lower, String upper, String channels, String pixels,
            String steps, String at, String offsets, String swizzle) {
        open(0);
        MemorySegment map = arena.allocate(TensorMapTest.MAP_BYTES, 64);
        assertThat(encode(map, usual(), 1 << 20, 0)).isZero();
        assertThat(encode(map, of(type, dims, lower, upper, channels, pixels, steps, at, offsets, swizzle), 1 << 20, 0))
                .isEqualTo(1);
    }

    @Test
    void instructionsThatThereAreNot() {
        String load = "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes";
        String[][] cases = {
            {load + " [%r1], [%rd1, {%r1, %r2, %r3, %r4}], [%r5], {1};",
                "im2col of 4 dimensions has 2 offsets, and not 1"},
            {load + " [%r1], [%rd1, {%r1, %r2, %r3}], [%r5], {1, 2};", "its 3 coordinates are of different dimensions"},
            {load.replace("4d", "2d") + " [%r1], [%rd1, {%r1, %r2}], [%r5], {};", "three to five dimensions"},
            {load.replace("im2col", "im2col::w") + " [%r1], [%rd1, {%r1, %r2, %r3, %r4}], [%r5], {1};", "of the modes"},
            {"cp.async.bulk.tensor.3d.global.shared::cta.im2col.bulk_group [%rd1, {%r1, %r2, %r3}], [%r5];",
                "of the modes"},
        };
        String text = ".version 8.6\n.target sm_90a\n.address_size 64\n.entry k() {\n.reg .b32 %r<8>;\n"
                + ".reg .b64 %rd<4>;\n";
        for (String[] one : cases) {
            assertThatThrownBy(() -> PtxProgram.translate(text + one[0] + "\nret; }", "test.ptx"))
                    .hasMessageContaining(one[1]).hasMessageContaining(one[0]);
        }
        PtxProgram.translate(text + load.replace("bytes", "bytes.multicast::cluster")
                + " [%r1], [%rd1, {%r1, %r2, %r3, %r4}], [%r5], {1, 2}, 3;\nret; }", "test.ptx");
    }
}
