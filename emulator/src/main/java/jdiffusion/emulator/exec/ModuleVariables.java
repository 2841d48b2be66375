package jdiffusion.emulator.exec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.PtxException;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.Variable;

/** Memory of a module's {@code .global} and {@code .const} variables; it lives as long as this object. */
public final class ModuleVariables {
    private final Map<String, MemorySegment> segments = new LinkedHashMap<>();
    private final DeviceMemory memory = new DeviceMemory();

    /** Allocates and initialises them; shared variables are passed over. */
    public ModuleVariables(PtxModule module) {
        List<Variable> variables = module.variables();
        Map<String, Long> functions = Functions.addresses(module);
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
                MemorySegment other = segments.get(pointer.symbol());
                Long address = other != null ? Long.valueOf(other.address()) : functions.get(pointer.symbol());
                if (address == null) {
                    throw new PtxException("%s: the variable %s holds the address of %s, which is not in this text"
                            .formatted(module.origin(), variable.name(), pointer.symbol()), 0);
                }
                segments.get(variable.name()).set(ValueLayout.JAVA_LONG_UNALIGNED, pointer.at(),
                        address + pointer.offset());
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
