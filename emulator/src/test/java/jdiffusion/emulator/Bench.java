package jdiffusion.emulator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Memory, parameters and launches for tests of small hand-written kernels. */
final class Bench implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final DeviceMemory memory = new DeviceMemory();
    private final Executor executor;

    Bench(EmulatorOptions options) {
        executor = new Executor(memory, options);
    }

    /** One thread, no checks. */
    static Bench plain() {
        return new Bench(EmulatorOptions.defaults().withThreads(1));
    }

    static Bench checked() {
        return new Bench(EmulatorOptions.defaults().withThreads(1).withCheck(true));
    }

    DeviceMemory memory() {
        return memory;
    }

    Executor executor() {
        return executor;
    }

    MemorySegment allocate(long bytes) {
        MemorySegment segment = arena.allocate(bytes, 256);
        memory.add(segment.address(), bytes);
        return segment;
    }

    MemorySegment ints(int... values) {
        MemorySegment segment = allocate(4L * values.length);
        MemorySegment.copy(values, 0, segment, ValueLayout.JAVA_INT, 0, values.length);
        return segment;
    }

    MemorySegment longs(long... values) {
        MemorySegment segment = allocate(8L * values.length);
        MemorySegment.copy(values, 0, segment, ValueLayout.JAVA_LONG, 0, values.length);
        return segment;
    }

    /** Packs addresses, ints, longs and floats at their natural alignment. */
    MemorySegment arguments(Object... values) {
        MemorySegment packed = arena.allocate(8L * values.length + 8, 8);
        long at = 0;
        for (Object value : values) {
            int size = value instanceof Integer || value instanceof Float ? 4 : 8;
            at = at + size - 1 & -size;
            switch (value) {
                case MemorySegment s -> packed.set(ValueLayout.JAVA_LONG, at, s.address());
                case Long l -> packed.set(ValueLayout.JAVA_LONG, at, l);
                case Integer i -> packed.set(ValueLayout.JAVA_INT, at, i);
                case Float f -> packed.set(ValueLayout.JAVA_FLOAT, at, f);
                default -> throw new IllegalArgumentException(value.toString());
            }
            at += size;
        }
        return packed;
    }

    /** Runs {@code blocks} blocks of {@code threads} threads. */
    void launch(PtxProgram program, String kernel, int blocks, int threads, int shared, Object... arguments) {
        executor.launch(program.kernel(kernel), new Dim3(blocks, 1, 1), new Dim3(threads, 1, 1), shared,
                arguments(arguments));
    }

    /**
     * A module with one kernel {@code k(pointer in, pointer out)} around a body. The body finds the thread's number in
     * {@code %r10} and the pointers in {@code %rd10} and {@code %rd11}.
     */
    static PtxProgram kernel(String declarations, String body) {
        return PtxProgram.translate(module(entry("k", declarations, body)), "test.ptx");
    }

    /** The same for compute capability 9.0 alone. */
    static PtxProgram hopper(String declarations, String body) {
        return PtxProgram.translate(module(entry("k", declarations, body)).replace("sm_80", "sm_90a"), "test.ptx");
    }

    static String module(String text) {
        return ".version 7.8\n.target sm_80\n.address_size 64\n" + text;
    }

    static String entry(String name, String declarations, String body) {
        return """
                .visible .entry NAME(
                    .param .u64 NAME_param_0,
                    .param .u64 NAME_param_1
                )
                {
                    .reg .pred %p<16>;
                    .reg .b16 %h<8>;
                    .reg .f32 %f<32>;
                    .reg .b32 %r<64>;
                    .reg .b64 %rd<32>;
                    .reg .f64 %d<8>;
                    DECLARATIONS
                    ld.param.u64 %rd10, [NAME_param_0];
                    ld.param.u64 %rd11, [NAME_param_1];
                    mov.u32 %r10, %tid.x;
                    BODY
                    ret;
                }
                """.replace("NAME", name).replace("DECLARATIONS", declarations).replace("BODY", body);
    }

    @Override
    public void close() {
        executor.close();
        arena.close();
    }
}
