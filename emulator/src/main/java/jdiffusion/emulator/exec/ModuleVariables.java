package jdiffusion.emulator.exec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.ptx.Variable;

/** Memory of a module's {@code .global} and {@code .const} variables; it lives as long as this object. */
public final class ModuleVariables {
    private final Map<String, MemorySegment> segments = new LinkedHashMap<>();
    private final DeviceMemory memory = new DeviceMemory();

    /** Allocates and initialises them; shared variables are passed over. */
    public ModuleVariables(List<Variable> variables) {
        Arena arena = Arena.ofAuto();
        for (Variable variable : variables) {
            if (variable.space().equals("shared") || variable.bytes() == 0) {
                continue;
            }
            MemorySegment segment = arena.allocate(variable.bytes(), Math.max(16, variable.align()));
            MemorySegment.copy(variable.initial(), 0, segment, ValueLayout.JAVA_BYTE, 0, variable.initial().length);
            segments.put(variable.name(), segment);
            memory.add(segment.address(), variable.bytes());
        }
        for (Variable variable : variables) {
            for (Variable.Pointer pointer : variable.pointers()) {
                segments.get(variable.name()).set(ValueLayout.JAVA_LONG_UNALIGNED, pointer.at(),
                        segments.get(pointer.symbol()).address() + pointer.offset());
            }
        }
    }

    /** Memory by variable name. */
    public Map<String, MemorySegment> segments() {
        return segments;
    }

    DeviceMemory memory() {
        return memory;
    }
}
