package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What products of the rarer shapes count as, and which there are not; their sums are tested by the laboratory. */
class MatrixShapesTest {
    private static final String SPARSE = "mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4},"
            + " {%r1, %r2}, {%r3, %r4}, {%f1, %f2, %f3, %f4}, %r5, 2;";
    private static final String TF32 = SPARSE.replace("f16", "tf32").replace("k16", "k8");

    /** Metadata of lane 4g + 2 are those of rows g and g + 8; one lane has others than 0x44444444. */
    @ParameterizedTest
    @CsvSource(textBlock = """
        '6 0x4e444444', false, -1, ''
        '6 0x44404444', false, 6, 'group 0 of row 9 are 0x0: the second'
        '6 0x44447444', false, 6, 'group 3 of row 1 are 0x7: the second'
        '5 0', false, -1, ''
        '2 0x4e4e4e44', true, -1, ''
        '2 0x4e4e4e84', true, 2, 'group 1 of row 0 are 0x8: of tf32 0b0100 and 0b1110 alone'
        """)
    void metadata(String changed, boolean tf32, int lane, String words) {
        DeviceFault fault = Faults.fault(Faults.plain(), """
                setp.eq.u32 %%p1, %%r10, %s;
                selp.b32 %%r5, %s, 0x44444444, %%p1;
                """.formatted((Object[]) changed.split(" ")) + (tf32 ? TF32 : SPARSE), 1, 32);
        if (lane < 0) {
            assertThat(fault).isNull();
            return;
        }
        Faults.assertFault(fault, Kind.OUT_OF_BOUNDS, "", 0, lane);
        assertThat(fault).hasMessageContaining("the metadata of " + words);
    }

    @Test
    void operations() {
        String body = "mov.u32 %r5, 0x44444444;\n" + SPARSE + """

                mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%d1, %d2}, {%d3}, {%d4}, {%d1, %d2};
                mma.sync.aligned.m16n8k64.row.col.s32.s4.u4.s32 {%r1,%r2,%r3,%r4}, {%r1,%r2,%r3,%r4}, {%r1,%r2}, \
                    {%r1,%r2,%r3,%r4};
                mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.and.popc {%r1,%r2}, {%r3}, {%r4}, {%r1,%r2};
                wmma.mma.sync.aligned.row.col.m8n8k4.f64.f64.f64.f64 {%d1, %d2}, {%d3}, {%d4}, {%d1, %d2};
                """;
        PtxProgram program = Bench.kernel("", body);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withProfile(true))) {
            MemorySegment memory = bench.allocate(64);
            bench.launch(program, "k", 3, 32, 0, memory, memory);
            // Of the sparse one half of the products is left out.
            assertThat(bench.executor().counters().get("k").mmaFlops()).isEqualTo(
                    3 * (16 * 8 * 16 + 2 * (8 * 8 * 4 + 16 * 8 * 64 + 8 * 8 * 128 + 8 * 8 * 4)));
        }
    }

    @Test
    void whatThereIsNot() {
        String[][] cases = {
            {SPARSE.replace("%r5, 2", "%r5, 4"), "the sparsity selector is 4; of this shape and type there are 4"},
            {SPARSE.replace("{%r1, %r2}", "{%r1, %r2, %r3}"), "A has 3 registers, and 2 are expected"},
            {"mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%d1,%d2,%d3,%d4}, {%d1,%d2}, {%d3}, {%d1,%d2,%d3,%d4};",
                "needs .target sm_90"},
            {"mma.sync.aligned.m8n8k32.row.col.s32.s4.s8.s32 {%r1,%r2}, {%r3}, {%r4}, {%r1,%r2};", "not supported"},
            {"mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.and {%r1,%r2}, {%r3}, {%r4}, {%r1,%r2};",
                "not supported"},
        };
        for (String[] one : cases) {
            assertThatThrownBy(() -> Bench.kernel("", one[0])).as(one[0]).hasMessageContaining(one[1])
                    .hasMessageContaining(one[0]);
        }
    }

    /** Ones of e4m3 by twos of e5m2: of 64 products 32, of 16 all. */
    @Test
    void floatsOf8Bits() {
        PtxProgram program = Bench.kernel("", """
                mov.u32 %r1, 0x38383838; mov.u32 %r2, 0x40404040; mov.u32 %r3, 0x44444444;
                mov.f32 %f1, 0f3f000000; mov.u32 %r4, 0x3c003800;
                mma.sp.sync.aligned.m16n8k64.row.col.f32.e4m3.e5m2.f32 {%f1, %f2, %f3, %f4}, {%r1, %r1, %r1, %r1},
                    {%r2, %r2, %r2, %r2}, {%f1, %f1, %f1, %f1}, %r3, 0;
                mma.sync.aligned.m16n8k16.row.col.f16.e4m3.e5m2.f16 {%r5, %r6}, {%r1, %r1}, {%r2}, {%r4, %r4};
                st.global.f32 [%rd11], %f4; st.global.u32 [%rd11+4], %r6;
                """);
        try (Bench bench = Bench.plain()) {
            MemorySegment memory = bench.allocate(64);
            bench.launch(program, "k", 1, 32, 0, memory, memory);
            assertThat(memory.get(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(64.5f);
            assertThat(Float.float16ToFloat(memory.get(ValueLayout.JAVA_SHORT, 4))).isEqualTo(32.5f);
            assertThat(Float.float16ToFloat(memory.get(ValueLayout.JAVA_SHORT, 6))).isEqualTo(33);
        }
    }

    /** Lane 4g + t has elements 2t and 2t + 1 of row g, which are 8 times the row and the column; then of column g. */
    @Test
    void transposedAmongLanes() {
        PtxProgram program = Bench.kernel("", """
                shl.b32 %r1, %r10, 1; add.u32 %r2, %r1, 1; shl.b32 %r2, %r2, 16; or.b32 %r1, %r1, %r2;
                movmatrix.sync.aligned.m8n8.trans.b16 %r1, %r1;
                mul.wide.u32 %rd1, %r10, 4; add.s64 %rd1, %rd1, %rd11; st.global.u32 [%rd1], %r1;
                """);
        try (Bench bench = Bench.checked()) {
            MemorySegment memory = bench.allocate(128);
            bench.launch(program, "k", 1, 32, 0, memory, memory);
            for (int i = 0; i < 64; i++) {
                assertThat(memory.get(ValueLayout.JAVA_SHORT, 2L * i)).isEqualTo((short) (i % 8 * 8 + i / 8));
            }
        }
    }
}
