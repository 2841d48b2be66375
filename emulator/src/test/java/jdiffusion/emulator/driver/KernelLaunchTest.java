package jdiffusion.emulator.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
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
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.PtxException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Modules and launches through JCuda, arguments packed as the CUDA backend packs them. */
@NeedsCompiler
class KernelLaunchTest {
    /** A kernel, out[offset + i] = scale * in[i] + bias for i < n; one that does nothing; a variable. */
    private static final String PTX = """
            .version 7.8
            .target sm_80
            .address_size 64

            .visible .global .align 8 .b8 table[32];

            .visible .entry affine(
                .param .u32 affine_n,
                .param .u64 affine_in,
                .param .f32 affine_scale,
                .param .u64 affine_offset,
                .param .u64 affine_out,
                .param .f32 affine_bias
            )
            .maxntid 64, 1, 1
            {
                .reg .pred %p<2>;
                .reg .b32 %r<6>;
                .reg .f32 %f<5>;
                .reg .b64 %rd<12>;
                ld.param.u32 %r1, [affine_n];
                ld.param.u64 %rd1, [affine_in];
                ld.param.f32 %f1, [affine_scale];
                ld.param.u64 %rd2, [affine_offset];
                ld.param.u64 %rd3, [affine_out];
                ld.param.f32 %f2, [affine_bias];
                mov.u32 %r2, %ctaid.x;
                mov.u32 %r3, %ntid.x;
                mov.u32 %r4, %tid.x;
                mad.lo.s32 %r5, %r2, %r3, %r4;
                setp.ge.s32 %p1, %r5, %r1;
                @%p1 bra DONE;
                cvta.to.global.u64 %rd4, %rd1;
                mul.wide.s32 %rd5, %r5, 4;
                add.s64 %rd6, %rd4, %rd5;
                ld.global.f32 %f3, [%rd6];
                fma.rn.f32 %f4, %f3, %f1, %f2;
                cvta.to.global.u64 %rd7, %rd3;
                shl.b64 %rd8, %rd2, 2;
                add.s64 %rd9, %rd7, %rd8;
                add.s64 %rd10, %rd9, %rd5;
                st.global.f32 [%rd10], %f4;
            DONE:
                ret;
            }

            .visible .entry dynamic()
            {
                ret;
            }
            """;

    private EmulatedDevice device;

    @BeforeEach
    void open() {
        open(EmulatorOptions.DEFAULT_CAPABILITY);
    }

    private void open(int capability) {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(true).withProfile(true).withThreads(1)
                .withCapability(capability), 64L << 20);
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(new CUcontext(), 0, new CUdevice());
    }

    @AfterEach
    void close() {
        device.close();
    }

    /** A device of capability 8.9 has other limits, and takes what is for it. */
    @Test
    void capabilityDecidesWhatLoadsAndWhatFits() {
        String newer = PTX.replace("sm_80", "sm_89");
        assertThatThrownBy(() -> load(newer)).isInstanceOf(CudaException.class)
                .hasMessageContaining("CUDA_ERROR_INVALID_PTX");
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("sm_89").hasMessageContaining("8.0");
        device.close();
        open(89);
        CUfunction dynamic = function(load(newer), "dynamic");
        int attribute = CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        JCudaDriver.cuFuncSetAttribute(dynamic, attribute, 99 << 10);
        assertThatThrownBy(() -> JCudaDriver.cuFuncSetAttribute(dynamic, attribute, (99 << 10) + 1))
                .isInstanceOf(CudaException.class);
        var minor = new int[1];
        JCudaDriver.cuDeviceGetAttribute(minor, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                new CUdevice());
        assertThat(minor).containsExactly(9);
    }

    private static CUmodule load(String ptx) {
        var module = new CUmodule();
        JCudaDriver.cuModuleLoadDataEx(module, Pointer.to(HostMemory.text(ptx)), 0, new int[0], new Pointer());
        return module;
    }

    private static CUfunction function(CUmodule module, String name) {
        var function = new CUfunction();
        JCudaDriver.cuModuleGetFunction(function, module, name);
        return function;
    }

    private static CUdeviceptr upload(float... values) {
        var pointer = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(pointer, 4L * values.length);
        JCudaDriver.cuMemcpyHtoD(pointer, Pointer.to(HostMemory.floats(values)), 4L * values.length);
        return pointer;
    }

    private static float[] download(CUdeviceptr pointer, int count) {
        ByteBuffer host = HostMemory.bytes(Float.BYTES * count);
        JCudaDriver.cuMemcpyDtoH(Pointer.to(host), pointer, host.capacity());
        return HostMemory.floats(host);
    }

    /** A pointer's address, which JCuda keeps to itself. */
    private static long address(CUdeviceptr pointer) {
        return new CUdeviceptr(pointer) {
            long value() {
                return getNativePointer() + getByteOffset();
            }
        }.value();
    }

    private static ByteBuffer arguments(int n, CUdeviceptr in, float scale, long offset, CUdeviceptr out, float bias) {
        return HostMemory.bytes(44)
                .putInt(0, n).putLong(8, address(in)).putFloat(16, scale).putLong(24, offset)
                .putLong(32, address(out)).putFloat(40, bias);
    }

    private static void launch(CUfunction function, int blocks, int threads, int sharedBytes, ByteBuffer arguments) {
        var extra = Pointer.to(
                JCudaDriver.CU_LAUNCH_PARAM_BUFFER_POINTER, Pointer.to(arguments),
                JCudaDriver.CU_LAUNCH_PARAM_BUFFER_SIZE,
                Pointer.to(HostMemory.bytes(Long.BYTES).putLong(0, arguments.capacity())),
                JCudaDriver.CU_LAUNCH_PARAM_END);
        JCudaDriver.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, sharedBytes, new CUstream(), null, extra);
    }

    @Test
    void argumentsOfFourAndEightBytesArrive() {
        CUfunction affine = function(load(PTX), "affine");
        CUdeviceptr in = upload(1, 2, 3, 4, 5);
        CUdeviceptr out = upload(new float[9]);
        launch(affine, 2, 3, 0, arguments(5, in, 2, 3, out, 0.5f));
        assertThat(download(out, 9)).containsExactly(0, 0, 0, 2.5f, 4.5f, 6.5f, 8.5f, 10.5f, 0);
        assertThat(device.executor().counters().get("affine").launches()).isEqualTo(1);
    }

    @Test
    void aFaultIsReportedWithItsPlaceAndTheDeviceGoesOn() {
        CUfunction affine = function(load(PTX), "affine");
        CUdeviceptr in = upload(1, 2, 3, 4);
        CUdeviceptr out = upload(new float[64]);
        assertThatThrownBy(() -> launch(affine, 1, 64, 0, arguments(5, in, 1, 0, out, 0)))
                .isInstanceOf(CudaException.class).hasMessage("CUDA_ERROR_ILLEGAL_ADDRESS");
        assertThat(device.takeFailure().orElseThrow()).isInstanceOfSatisfying(DeviceFault.class, fault -> {
            assertThat(fault.kind()).isEqualTo(DeviceFault.Kind.OUT_OF_BOUNDS);
            assertThat(fault).hasMessageContaining("kernel affine").hasMessageContaining("ld.global.f32");
            assertThat(fault.thread()).isEqualTo(4);
        });
        assertThat(device.takeFailure()).isEmpty();
        launch(affine, 1, 64, 0, arguments(4, in, 1, 0, out, 1));
        assertThat(download(out, 4)).containsExactly(2, 3, 4, 5);
    }

    @Test
    void launchesBeyondTheLimitsAreRefusedWithTheReason() {
        CUmodule module = load(PTX);
        CUfunction affine = function(module, "affine");
        CUdeviceptr memory = upload(1);
        ByteBuffer arguments = arguments(1, memory, 1, 0, memory, 0);
        refused(() -> launch(affine, 1, 65, 0, arguments),
                "launch of affine with a block of (65, 1, 1) threads: at most 64");
        refused(() -> launch(affine, 0, 64, 0, arguments), "a grid of (0, 1, 1) blocks");
        refused(() -> launch(affine, 1, 64, 0, HostMemory.bytes(36)),
                "36 bytes of arguments: the kernel takes 44");
        CUfunction dynamic = function(module, "dynamic");
        ByteBuffer none = HostMemory.bytes(0);
        refused(() -> launch(dynamic, 1, 1, 48 * 1024 + 4, none), "at most 49152 (cuFuncSetAttribute raises it)");
        int attribute = CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        refused(() -> JCudaDriver.cuFuncSetAttribute(dynamic, attribute, 163 * 1024 + 1), "at most 166912");
        JCudaDriver.cuFuncSetAttribute(dynamic, attribute, 100 * 1024);
        launch(dynamic, 1, 1, 100 * 1024, none);
    }

    private void refused(Runnable call, String reason) {
        assertThatThrownBy(call::run).isInstanceOf(CudaException.class).hasMessage("CUDA_ERROR_INVALID_VALUE");
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining(reason);
    }

    @Test
    void functionsTellTheirLimits() {
        CUfunction affine = function(load(PTX), "affine");
        var value = new int[1];
        JCudaDriver.cuFuncGetAttribute(value, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, affine);
        assertThat(value).containsExactly(64);
        JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(value, affine, 64, 40 * 1024);
        assertThat(value).containsExactly(4);
        JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(value, affine, 1000, 0);
        assertThat(value).containsExactly(2);
    }

    @Test
    void variablesOfAModuleCanBeCopied() {
        CUmodule module = load(PTX);
        var pointer = new CUdeviceptr();
        var bytes = new long[1];
        JCudaDriver.cuModuleGetGlobal(pointer, bytes, module, "table");
        assertThat(bytes).containsExactly(32);
        JCudaDriver.cuMemsetD8(pointer, (byte) 3, 32);
        JCudaDriver.cuModuleUnload(module);
        assertThatThrownBy(() -> JCudaDriver.cuMemsetD8(pointer, (byte) 3, 32))
                .hasMessage("CUDA_ERROR_INVALID_VALUE");
    }

    @Test
    void anUnloadedModuleIsGone() {
        CUmodule module = load(PTX);
        CUfunction dynamic = function(module, "dynamic");
        assertThatThrownBy(() -> function(module, "missing")).hasMessage("CUDA_ERROR_NOT_FOUND");
        assertThat(device.takeFailure().orElseThrow()).hasMessageContaining("no kernel missing; the module has");
        JCudaDriver.cuModuleUnload(module);
        assertThatThrownBy(() -> launch(dynamic, 1, 1, 0, HostMemory.bytes(0)))
                .hasMessage("CUDA_ERROR_INVALID_HANDLE");
        assertThatThrownBy(() -> JCudaDriver.cuModuleUnload(module)).hasMessage("CUDA_ERROR_INVALID_HANDLE");
    }

    @Test
    void textThatIsNotPtxIsRefusedWithItsLine() {
        String broken = PTX.replace("fma.rn.f32 %f4", "frob.rn.f32 %f4");
        assertThatThrownBy(() -> load(broken)).isInstanceOf(CudaException.class).hasMessage("CUDA_ERROR_INVALID_PTX");
        assertThat(device.takeFailure().orElseThrow()).isInstanceOfSatisfying(PtxException.class,
                reason -> assertThat(reason).hasMessageContaining("frob"));
        assertThatThrownBy(() -> load("\177ELF")).hasMessage("CUDA_ERROR_INVALID_IMAGE");
    }
}
