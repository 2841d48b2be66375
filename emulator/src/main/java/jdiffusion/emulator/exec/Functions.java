package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.Variable;

/** Addresses of functions: no memory is there, and calls through pointers know them. */
final class Functions {
    private static final long DISTANCE = 16;

    private Functions() {}

    /** The address of each function of a module, by name. */
    static Map<String, Long> addresses(PtxModule module) {
        var addresses = new LinkedHashMap<String, Long>();
        for (String name : module.functions().keySet()) {
            addresses.put(name, GenericMemory.FUNCTIONS + DISTANCE * addresses.size());
        }
        return addresses;
    }

    /** Number of the function at an address in the order of the module; -1 where none can be. */
    static int number(long address) {
        long offset = address - GenericMemory.FUNCTIONS;
        return offset < 0 || offset >= GenericMemory.WINDOW || offset % DISTANCE != 0
                || offset / DISTANCE > Integer.MAX_VALUE ? -1 : (int) (offset / DISTANCE);
    }

    /** Functions whose address a module takes, in instructions or in variables, and which calls may lead to. */
    static Set<String> taken(PtxModule module) {
        var taken = new LinkedHashSet<String>();
        Stream.concat(module.kernels().stream(), module.functions().values().stream()).map(PtxFunction::body)
                .flatMap(List::stream).filter(i -> !i.opcode().equals("call")).map(Instruction::operands)
                .flatMap(List::stream).filter(o -> o instanceof Operand.Symbol)
                .map(o -> ((Operand.Symbol) o).name()).forEach(taken::add);
        module.variables().stream().map(Variable::pointers).flatMap(List::stream).map(Variable.Pointer::symbol)
                .forEach(taken::add);
        var order = new ArrayList<>(module.functions().keySet());
        order.retainAll(taken);
        return new LinkedHashSet<>(order);
    }
}
