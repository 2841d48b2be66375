package jdiffusion.lab;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.Executor;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.PtxKernel;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.Type;
import jdiffusion.emulator.ptx.Variable;
import jdiffusion.lab.Argument.Direction;

/** A device with memory, on which the launches of a program run one after the other. */
final class Session implements AutoCloseable {

    /** An array that launches use: what it held at first, and what it holds now. */
    record Bound(String name, Direction direction, HostArray before, HostArray now) {

        boolean isChanged() {
            return before.data().mismatch(now.data()) >= 0;
        }
    }

    private final LabProgram program;
    private final long seed;
    private final int timeLimit;
    private final Arena arena = Arena.ofShared();
    private final DeviceMemory memory = new DeviceMemory();
    private final Executor executor;
    private final Map<String, Bound> arrays = new LinkedHashMap<>();
    private final Map<Long, String> names = new LinkedHashMap<>();

    /** @param timeLimit of a launch, in seconds */
    Session(LabProgram program, EmulatorOptions options, long seed, int timeLimit) {
        this.timeLimit = timeLimit;
        this.program = program;
        this.seed = seed;
        this.executor = new Executor(memory, options);
    }

    /** Arrays by name, in the order in which launches brought them. */
    Map<String, Bound> arrays() {
        return arrays;
    }

    LabProgram program() {
        return program;
    }

    Executor executor() {
        return executor;
    }

    Map<String, KernelCounters> counters() {
        return executor.counters();
    }

    /** Runs one launch to its end. */
    void run(Launch launch) {
        PtxFunction kernel = program.kernel(launch.kernel());
        PtxKernel translated = program.translated(kernel);
        MemorySegment parameters = parameters(launch, kernel);
        checkSize(launch, kernel);
        CountDownLatch done = new CountDownLatch(1);
        AtomicBoolean late = new AtomicBoolean();
        Thread.ofPlatform().daemon().name("kernel-time-limit").start(() -> {
            try {
                if (!done.await(timeLimit, TimeUnit.SECONDS)) {
                    late.set(true);
                    executor.stop();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        try {
            executor.launch(translated, launch.grid(), launch.block(), launch.cluster(),
                    launch.shared(), parameters);
        } catch (DeviceFault e) {
            String message = named(e.getMessage()) + program.places(e);
            throw LabException.failed(late.get() ? "launch '%s' was not done after %d s; it may wait for what never"
                    .formatted(launch.text(), timeLimit) + " comes, else give more with --time-limit: " + message
                    : message, e);
        } finally {
            done.countDown();
        }
        for (Bound bound : arrays.values()) {
            if (bound.direction() == Direction.IN && bound.isChanged()) {
                throw LabException.failed("launch '%s': %s is in:, but the kernel has written element %d".formatted(
                        launch.text(), bound.name(),
                        bound.before().data().mismatch(bound.now().data()) / bound.now().type().bytes()), null);
            }
        }
    }

    private static void checkSize(Launch launch, PtxFunction kernel) {
        long threads = launch.block().count();
        int most = Math.min(1024, kernel.maxThreads());
        if (threads > most) {
            throw LabException.misuse("launch '%s': blocks of %d threads; %s takes at most %d".formatted(launch.text(),
                    threads, kernel.name(), most));
        }
    }

    /** A message in which addresses that arrays begin at have their names. */
    private String named(String message) {
        String text = message;
        for (Map.Entry<Long, String> name : names.entrySet()) {
            text = text.replace("allocation [0x%x,".formatted(name.getKey()),
                    "array %s [0x%x,".formatted(name.getValue(), name.getKey()));
        }
        return text;
    }

    MemorySegment parameters(Launch launch, PtxFunction kernel) {
        List<Variable> wanted = kernel.parameters();
        if (wanted.size() != launch.arguments().size()) {
            throw LabException.misuse("launch '%s': %d arguments; %s takes %d: %s".formatted(launch.text(),
                    launch.arguments().size(), kernel.name(), wanted.size(), signature(wanted)));
        }
        long bytes = 0;
        var offsets = new ArrayList<Long>();
        for (Variable parameter : wanted) {
            bytes = Math.ceilDiv(bytes, (long) parameter.align()) * parameter.align();
            offsets.add(bytes);
            bytes += Math.max(1, parameter.bytes());
        }
        MemorySegment packed = arena.allocate(Math.max(bytes, 1), 16);
        for (int i = 0; i < wanted.size(); i++) {
            try {
                put(packed.asSlice(offsets.get(i), Math.max(1, wanted.get(i).bytes())), wanted.get(i),
                        launch.arguments().get(i), i);
            } catch (IllegalArgumentException e) {
                throw LabException.misuse("launch '%s': argument %d: %s".formatted(launch.text(), i + 1,
                        e.getMessage()), e);
            }
        }
        return packed;
    }

    private static String signature(List<Variable> parameters) {
        return parameters.isEmpty() ? "none" : String.join(", ", parameters.stream().map(Session::kind).toList());
    }

    private static String kind(Variable parameter) {
        return parameter.bytes() != parameter.type().bytes() ? parameter.bytes() + " bytes"
                : parameter.type().name().toLowerCase(java.util.Locale.ROOT);
    }

    private void put(MemorySegment slot, Variable parameter, Argument argument, int index) {
        switch (argument) {
            case Argument.Array array -> {
                if (parameter.bytes() != 8) {
                    throw new IllegalArgumentException("an array is given where the kernel takes " + kind(parameter));
                }
                slot.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, bind(array, index).now().data().address());
            }
            case Argument.Bytes bytes -> {
                if (bytes.bytes().length != parameter.bytes()) {
                    throw new IllegalArgumentException("%d bytes are given where the kernel takes %s".formatted(
                            bytes.bytes().length, kind(parameter)));
                }
                MemorySegment.copy(bytes.bytes(), 0, slot, ValueLayout.JAVA_BYTE, 0, bytes.bytes().length);
            }
            case Argument.Number number -> put(slot, parameter, number);
        }
    }

    private static void put(MemorySegment slot, Variable parameter, Argument.Number number) {
        if (parameter.bytes() != parameter.type().bytes() && number.cast() == null) {
            throw new IllegalArgumentException("a number is given where the kernel takes " + kind(parameter)
                    + "; give bytes(...)");
        }
        DataType type = number.cast() != null ? number.cast() : type(parameter.type(), number.text());
        if (type.bytes() != parameter.bytes()) {
            throw new IllegalArgumentException("%s has %d bytes, and the kernel takes %s".formatted(type.label(),
                    type.bytes(), kind(parameter)));
        }
        if (type.isFloat()) {
            type.set(slot, 0, Numbers.real(number.text()));
        } else {
            Numbers.putInteger(slot, type, number.text());
        }
    }

    /** The type of a parameter, as far as it says; else what the number looks like. */
    private static DataType type(Type type, String text) {
        boolean real = Numbers.isReal(text);
        return switch (type) {
            case F32 -> DataType.F32;
            case F64 -> DataType.F64;
            case F16 -> DataType.F16;
            case BF16 -> DataType.BF16;
            default -> {
                if (real && type.bits() >= 32 && !type.isSigned() && type != Type.U32 && type != Type.U64) {
                    yield type.bits() == 32 ? DataType.F32 : DataType.F64;
                }
                yield switch (type.bits()) {
                    case 8 -> type.isSigned() ? DataType.I8 : DataType.U8;
                    case 16 -> type.isSigned() ? DataType.I16 : DataType.U16;
                    case 32 -> type.isSigned() ? DataType.I32 : DataType.U32;
                    default -> type.isSigned() ? DataType.I64 : DataType.U64;
                };
            }
        };
    }

    private Bound bind(Argument.Array argument, int index) {
        String name = argument.name().isEmpty() ? "arg" + (index + 1) : argument.name();
        Bound known = arrays.get(name);
        if (argument.source() == null || argument.source().equals(name)) {
            if (known == null) {
                throw new IllegalArgumentException("no array is named " + name + "; write " + name
                        + "=zeros(1024) or " + name + ".npy");
            }
            return known;
        }
        if (known != null) {
            throw new IllegalArgumentException("there is an array " + name + " already; give this one another name, as"
                    + " in " + name + "2=" + argument.source());
        }
        HostArray now = ArraySource.make(argument.source(), seed + arrays.size(), arena);
        memory.add(now.data().address(), now.data().byteSize());
        names.put(now.data().address(), name);
        Bound bound = new Bound(name, argument.direction(), now.copy(arena), now);
        arrays.put(name, bound);
        return bound;
    }

    @Override
    public void close() {
        executor.close();
        arena.close();
    }
}
