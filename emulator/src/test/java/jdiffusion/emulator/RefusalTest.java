package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the emulated device does not run is named with its line, its text, and why. */
class RefusalTest {
    private static final String NEWER = "it needs compute capability 10.0 or more";

    @ParameterizedTest
    @CsvSource(delimiter = ':', textBlock = """
        tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f1, %f2}]; : textures are left out
        tld4.r.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f1, %f2}]; : textures are left out
        txq.width.b32 %r1, [%rd1]; : textures are left out
        suld.b.2d.b32.trap {%r1}, [%rd1, {%r2, %r3}]; : surfaces are left out
        sust.b.2d.b32.trap [%rd1, {%r2, %r3}], {%r1}; : surfaces are left out
        sured.b.add.2d.u32.trap [%rd1, {%r2, %r3}], %r1; : surfaces are left out
        multimem.ld_reduce.relaxed.sys.global.add.u32 %r1, [%rd1]; : addresses of several devices at once are left out
        tcgen05.commit.cta_group.mbarrier [%rd1]; : NEWER
        ld.global.v8.f32 {%f1, %f1, %f1, %f1, %f1, %f1, %f1, %f1}, [%rd1]; : NEWER
        redux.sync.min.f32 %f1, %f2, -1; : NEWER
        atom.global.exch.b128 %rd1, [%rd1], %rd2; : atomics of 128 bits are left out
        tensormap.replace.tile.global_address.global.b1024.b64 [%rd1], %rd2; : tensor maps come from the driver
        alloca.u64 %rd1, %rd2; : a stack of a size that is not known before is left out
        shfl.up.b32 %r1, %r2, 1, 0; : without .sync it ends with compute capability 6
        call.uni cudaLaunchDeviceV2, (%rd1, %rd2); : kernels that launch kernels are not supported
        vadd.s32.s32.s32.sat %r1, %r2.b0, %r3.h1; : scalar video instructions are left out
        foo.bar %r1, %r2; : this instruction is not supported
        bar.sync; : malformed instruction
        atom.global.add.u32 %r1, [%rd1], {%r2, %r3}; : a register is expected, and there is a vector of 2
        st.param.u32 [k_param_0], %r1; : parameters of a kernel are constant
        """)
    void whatIsLeftOut(String instruction, String words) {
        assertThatThrownBy(() -> Bench.hopper("", "\n" + instruction)).isInstanceOf(PtxException.class)
                .hasMessageStartingWith("test.ptx:20: kernel k: ").hasMessageContaining("`" + instruction + "`")
                .hasMessageContaining(words.replace("NEWER", NEWER));
    }
}
