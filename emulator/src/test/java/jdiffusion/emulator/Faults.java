package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import jdiffusion.emulator.DeviceFault.Kind;

/** Runs small kernels with a planted bug. */
final class Faults {
    /** Pointers of the thread's own int in %rd1 (in) and %rd2 (out), of 64 threads a block. */
    static final String INDEX = """
            mov.u32 %r11, %ctaid.x;
            mad.lo.s32 %r12, %r11, 64, %r10;
            mul.wide.u32 %rd12, %r12, 4;
            add.s64 %rd1, %rd10, %rd12;
            add.s64 %rd2, %rd11, %rd12;
            """;
    static final String SHARED = ".shared .align 16 .b8 s[1024];";

    private Faults() {}

    static EmulatorOptions plain() {
        return EmulatorOptions.defaults();
    }

    static EmulatorOptions checked() {
        return EmulatorOptions.defaults().withCheck(true);
    }

    static DeviceFault fault(EmulatorOptions options, String body) {
        return fault(options, body, 2, 64);
    }

    /** Launches with buffers of 512 bytes; null when there is no fault. */
    static DeviceFault fault(EmulatorOptions options, String body, int blocks, int threads) {
        PtxProgram program = Bench.kernel(SHARED, INDEX + body);
        try (Bench bench = new Bench(options.withThreads(1))) {
            MemorySegment in = bench.allocate(512);
            MemorySegment out = bench.allocate(512);
            return catchThrowableOfType(DeviceFault.class,
                    () -> bench.launch(program, "k", blocks, threads, 0, in, out));
        }
    }

    /** The message names the place whole. */
    static void assertFault(DeviceFault fault, Kind kind, String instruction, int block, int thread) {
        assertThat(fault).isNotNull();
        assertThat(fault.kind()).as(fault.getMessage()).isEqualTo(kind);
        assertThat(fault.kernel()).isEqualTo("k");
        assertThat(fault.block()).isEqualTo(new Dim3(block, 0, 0));
        assertThat(fault.thread()).isEqualTo(thread);
        assertThat(fault.line()).isPositive();
        assertThat(fault).hasMessageStartingWith(kind + " in kernel k, PTX line " + fault.line() + " `" + instruction)
                .hasMessageContaining("block (" + block + ", 0, 0), thread " + thread + " (warp " + thread / 32
                        + ", lane " + thread % 32 + ")");
    }
}
