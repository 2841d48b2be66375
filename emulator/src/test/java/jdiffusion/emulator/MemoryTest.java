package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryTest {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    @ParameterizedTest
    @ValueSource(strings = {"global", "shared", "local", ""})
    void everyWidthInEverySpace(String space) {
        String dot = space.isEmpty() ? "" : "." + space;
        String base = switch (space) {
            case "shared" -> "mov.u64 %rd20, buffer; mul.wide.u32 %rd12, %r10, 64; add.s64 %rd20, %rd20, %rd12;";
            case "local" -> "mov.u64 %rd20, frame;";
            case "global" -> "mul.wide.u32 %rd12, %r10, 64; add.s64 %rd20, %rd10, %rd12;";
            // Even lanes go to shared memory, odd ones to local memory, lane 7 to global memory.
            default -> """
                    mov.u64 %rd20, buffer; cvta.shared.u64 %rd20, %rd20; mul.wide.u32 %rd12, %r10, 64;
                    add.s64 %rd20, %rd20, %rd12; mov.u64 %rd21, frame; cvta.local.u64 %rd21, %rd21;
                    and.b32 %r30, %r10, 1; setp.ne.s32 %p9, %r30, 0; selp.b64 %rd20, %rd21, %rd20, %p9;
                    setp.eq.s32 %p9, %r10, 7; @%p9 mov.u64 %rd20, %rd10;
                    """;
        };
        PtxProgram program = Bench.kernel(".local .align 16 .b8 frame[64]; .shared .align 16 .b8 buffer[2048];",
                base + """
                        add.s32 %r1, %r10, 0x11223344;
                        mov.b64 %rd1, {%r1, %r10};
                        cvt.u16.u32 %h1, %r1;
                        stSPACE.u8 [%rd20], %r1;
                        stSPACE.u8 [%rd20+1], 0x80;
                        stSPACE.u16 [%rd20+2], %h1;
                        stSPACE.u32 [%rd20+4], %r1;
                        stSPACE.u64 [%rd20+8], %rd1;
                        stSPACE.v4.u32 [%rd20+16], {%r1, %r10, 5, %r1};
                        stSPACE.v2.u64 [%rd20+32], {%rd1, %rd1};
                        stSPACE.v2.b16 [%rd20+48], {%h1, 0x7};
                        stSPACE.v4.b8 [%rd20+52], {1, 2, 3, 255};
                        stSPACE.u32 [%rd20+56], %rd1;
                        ldSPACE.u8 %r2, [%rd20];
                        ldSPACE.s8 %r3, [%rd20+1];
                        ldSPACE.u16 %h2, [%rd20+2];
                        cvt.u32.u16 %r4, %h2;
                        ldSPACE.s8 %rd2, [%rd20+1];
                        cvt.u32.u64 %r5, %rd2;
                        ldSPACE.v2.u32 {%r6, %r7}, [%rd20+8];
                        ldSPACE.v2.u64 {%rd3, %rd4}, [%rd20+32];
                        ldSPACE.v4.u32 {_, %r8, %r9, %r11}, [%rd20+16];
                        ldSPACE.v2.b16 {%h3, %h4}, [%rd20+48];
                        ldSPACE.v4.u8 {%r12, %r13, %r14, %r15}, [%rd20+52];
                        ldSPACE.u32 %rd5, [%rd20+56];
                        add.s64 %rd4, %rd4, %rd5;
                        cvt.u32.u16 %r16, %h4;
                        mul.wide.u32 %rd12, %r10, 64;
                        add.s64 %rd11, %rd11, %rd12;
                        st.global.v4.u32 [%rd11], {%r2, %r3, %r4, %r5};
                        st.global.v4.u32 [%rd11+16], {%r6, %r7, %r8, %r9};
                        st.global.v4.u32 [%rd11+32], {%r12, %r15, %r16, %r11};
                        st.global.u64 [%rd11+48], %rd4;
                        """.replace("SPACE", dot));
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(2048);
            bench.launch(program, "k", 1, 32, 0, bench.allocate(2048), out);
            for (int lane = 0; lane < 32; lane++) {
                int value = 0x11223344 + lane;
                int[] got = out.asSlice(64L * lane, 64).toArray(INT);
                assertThat(got).as("lane %d", lane).startsWith(value & 0xff, -128, value & 0xffff, -128, value, lane,
                        lane, 5, 1, 255, 7, value);
                assertThat(out.get(ValueLayout.JAVA_LONG, 64L * lane + 48))
                        .isEqualTo(((long) lane << 32 | value) + value);
            }
        }
    }

    @Test
    void atomics() {
        PtxProgram program = Bench.kernel(".shared .align 8 .b8 s[16];", """
                setp.eq.s32 %p1, %r10, 0;
                @%p1 st.shared.u64 [s], 0;
                bar.sync 0;
                add.s32 %r1, %r10, 1;
                cvt.u64.u32 %rd1, %r1;
                red.global.add.u32 [%rd10], %r1;
                red.global.max.s32 [%rd10+4], %r1;
                atom.global.or.b32 %r2, [%rd10+8], %r1;
                atom.global.add.u64 %rd2, [%rd10+16], %rd1;
                atom.global.cas.b32 %r3, [%rd10+12], %r10, %r1;
                mov.f32 %f1, 0f3F000000;
                atom.global.add.f32 %f2, [%rd10+24], %f1;
                atom.shared.add.u32 %r4, [s], %r1;
                bar.sync 0;
                @%p1 ld.shared.u32 %r5, [s];
                @%p1 st.global.u32 [%rd10+28], %r5;
                """);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withThreads(2))) {
            MemorySegment memory = bench.longs(0, 0, 0, 0);
            bench.launch(program, "k", 4, 64, 0, memory, memory);
            assertThat(memory.get(INT, 0)).isEqualTo(4 * 2080);
            assertThat(memory.get(INT, 4)).isEqualTo(64);
            assertThat(memory.get(INT, 8)).isEqualTo(127);
            assertThat(memory.get(INT, 12)).isEqualTo(64);
            assertThat(memory.get(ValueLayout.JAVA_LONG, 16)).isEqualTo(4 * 2080);
            assertThat(memory.get(ValueLayout.JAVA_FLOAT, 24)).isEqualTo(128);
            assertThat(memory.get(INT, 28)).isEqualTo(2080);
        }
    }

    @Test
    void moduleVariables() {
        PtxProgram program = PtxProgram.translate(Bench.module("""
                .const .align 4 .u32 table[4] = {1, 2, 0x10};
                .global .align 8 .u64 pointer = table+4;
                .visible .global .align 4 .f32 scale = 0f40000000;
                """ + Bench.entry("k", "", """
                mov.u64 %rd1, table;
                ld.const.u32 %r1, [%rd1+8];
                ld.global.u64 %rd2, [pointer];
                ld.u32 %r2, [%rd2];
                ld.global.f32 %f1, [scale];
                mov.b32 %r3, %f1;
                st.global.v4.u32 [%rd11], {%r1, %r2, %r3, 0};
                mov.f32 %f2, 0f3F800000;
                st.global.f32 [scale], %f2;
                """)), "test.ptx");
        try (Bench bench = Bench.plain()) {
            MemorySegment out = bench.allocate(16);
            bench.launch(program, "k", 1, 1, 0, out, out);
            assertThat(out.toArray(INT)).containsExactly(16, 2, 0x40000000, 0);
            assertThat(program.global("scale").get(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(1);
            assertThat(program.global("table").byteSize()).isEqualTo(16);
            assertThat(program.global("nothing")).isNull();
        }
    }

    @Test
    void parametersOfEveryKind() {
        PtxProgram program = PtxProgram.translate(Bench.module("""
                .visible .entry k(.param .u64 .ptr .global .align 1 k_param_0, .param .u8 k_param_1,
                    .param .align 8 .b8 k_param_2[24], .param .f32 k_param_3)
                .maxntid 64, 2, 1
                .minnctapersm 2
                {
                    .reg .b32 %r<9>; .reg .b64 %rd<9>;
                    ld.param.u64 %rd1, [k_param_0];
                    ld.param.s8 %r1, [k_param_1];
                    mov.b64 %rd3, k_param_2;
                    ld.param.v2.u32 {%r2, %r3}, [%rd3+8];
                    add.s64 %rd4, %rd3, 32;
                    ld.param.u32 %r4, [%rd4+-16];
                    ld.param.b32 %r5, [k_param_3];
                    st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};
                    st.global.u32 [%rd1+16], %r5;
                    ld.param.s32 %rd5, [%rd4+-12];
                    st.global.u64 [%rd1+24], %rd5;
                    ret;
                }
                """), "test.ptx");
        PtxKernel kernel = program.kernel("k");
        assertThat(kernel.paramBytes()).isEqualTo(44);
        assertThat(kernel.maxThreads()).isEqualTo(128);
        try (Bench bench = Bench.plain()) {
            MemorySegment out = bench.allocate(32);
            bench.launch(program, "k", 1, 1, 0, out, 0xfeL, 0L, 0x200000001L, 0xfffffff900000003L, 1.5f);
            assertThat(out.toArray(INT)).startsWith(-2, 1, 2, 3, Float.floatToRawIntBits(1.5f));
            assertThat(out.get(ValueLayout.JAVA_LONG, 24)).as("extended to 64 bits").isEqualTo(-7);
        }
    }

    @ParameterizedTest
    @CsvSource({"-4, u32, outside", "-8, u64, outside", "5, u32, outside", "8, u8, outside", "-1, u8, outside",
        "2, u32, misaligned", "4, u64, outside"})
    void parametersAreReadWhereTheyAre(int offset, String type, String fault) {
        PtxProgram program = PtxProgram.translate(Bench.module("""
                .visible .entry k(.param .u64 k_param_0)
                {
                    .reg .b32 %r<9>; .reg .b64 %rd<9>;
                    mov.b64 %rd3, k_param_0;
                    add.s64 %rd4, %rd3, OFFSET;
                    ld.param.TYPE REGISTER, [%rd4];
                    ret;
                }
                """.replace("OFFSET", Integer.toString(offset)).replace("TYPE", type)
                .replace("REGISTER", type.equals("u64") ? "%rd5" : "%r1")), "test.ptx");
        try (Bench bench = Bench.plain()) {
            assertThatThrownBy(() -> bench.launch(program, "k", 1, 1, 0, 0L)).isInstanceOf(DeviceFault.class)
                    .hasMessageContaining("at offset " + offset + " of the kernel's parameters, which have 8 bytes")
                    .extracting(e -> ((DeviceFault) e).kind())
                    .isEqualTo(fault.equals("outside") ? DeviceFault.Kind.OUT_OF_BOUNDS : DeviceFault.Kind.MISALIGNED);
        }
    }

    @Test
    void dynamicSharedMemoryFollowsTheStaticOne() {
        PtxProgram program = PtxProgram.translate(Bench.module(".extern .shared .align 16 .b8 dynamic[];\n"
                + Bench.entry("k", ".shared .align 4 .b8 own[20];", """
                mov.u32 %r1, own;
                mov.u32 %r2, dynamic;
                mov.u32 %r3, %dynamic_smem_size;
                st.shared.u32 [dynamic+28], %r3;
                ld.shared.u32 %r4, [%r2+28];
                st.global.v4.u32 [%rd11], {%r1, %r2, %r3, %r4};
                """)), "test.ptx");
        assertThat(program.kernel("k").staticSharedBytes()).isEqualTo(32);
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(16);
            bench.launch(program, "k", 1, 1, 32, out, out);
            assertThat(out.toArray(INT)).containsExactly(0, 32, 32, 32);
        }
    }

    /** Of 16 bytes that begin 8 before the end of the memory, 8 may be asked for, and not more. */
    @Test
    void copiesReadWhatTheyAskForAlone() {
        String body = """
                mov.u32 %r1, s;
                mov.u32 %r5, SIZE;
                cp.async.cg.shared.global [%r1], [%rd10+496], 16, %r5;
                cp.async.wait_all;
                ld.shared.u32 %r6, [%r1+4];
                st.global.u32 [%rd11], %r6;
                """;
        int[] values = new int[126];
        values[125] = 7;
        try (Bench bench = Bench.plain()) {
            MemorySegment out = bench.allocate(4);
            bench.launch(Bench.kernel(".shared .align 16 .b8 s[16];", body.replace("SIZE", "8")), "k", 1, 1, 0,
                    bench.ints(values), out);
            assertThat(out.toArray(INT)).containsExactly(7);
            assertThatThrownBy(() -> bench.launch(Bench.kernel(".shared .align 16 .b8 s[16];",
                    body.replace("SIZE", "9")), "k", 1, 1, 0, bench.ints(values), out))
                    .isInstanceOf(DeviceFault.class).hasMessageContaining("OUT_OF_BOUNDS");
        }
    }

    /** Of a name and an offset only those lanes read that execute it. */
    @ParameterizedTest
    @ValueSource(longs = {-4, 13, 16, 99_999_999_999L})
    void namedReadsOutsideTheParameters(long offset) {
        String load = "ld.param.u32 %r1, [k_param_0+" + offset + "];\nst.global.u32 [%rd11], %r1;";
        String none = "setp.gt.u32 %p1, %r10, 99;\n@%p1 " + load;
        try (Bench bench = Bench.plain()) {
            MemorySegment out = bench.ints(7);
            bench.launch(Bench.kernel("", none), "k", 1, 1, 0, out, out);
            PtxProgram program = Bench.kernel("", load);
            assertThatThrownBy(() -> bench.launch(program, "k", 1, 1, 0, out, out)).isInstanceOf(DeviceFault.class)
                    .hasMessageContaining("at offset " + offset + " of the kernel's parameters, which have 16 bytes");
        }
    }
}
