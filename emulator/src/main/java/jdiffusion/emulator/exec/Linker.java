package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.Type;
import jdiffusion.emulator.ptx.Variable;

/**
 * Puts a kernel and the functions that it calls into one body. Functions come first, those that are called before those
 * that call: lanes run the earliest block first, so that those that have called something catch up with the others.
 * Parameters, results and parameters of calls become local variables.
 */
final class Linker {
    /** Functions of CUDA's own, which have no PTX. */
    static final Set<String> SYSTEM = Set.of("vprintf", "__assertfail");
    /** Modifier of a call that may lead back to the function that it is in. */
    static final String AGAIN = "again";
    private static final String ENTRY = "entry#";

    private final PtxModule module;
    private final PtxFunction kernel;
    private final Map<String, Set<String>> callees = new HashMap<>();
    private final List<PtxFunction> order = new ArrayList<>();
    private final Map<String, Type> registers = new LinkedHashMap<>();
    private final List<Variable> variables = new ArrayList<>();
    private final List<Instruction> body = new ArrayList<>();
    private final Map<String, Integer> labels = new HashMap<>();
    private final Map<String, List<String>> tables = new HashMap<>();

    private Linker(PtxModule module, PtxFunction kernel) {
        this.module = module;
        this.kernel = kernel;
    }

    /** The kernel with its functions; the kernel itself when it calls none. */
    static PtxFunction link(PtxModule module, PtxFunction kernel) {
        return calls(kernel).isEmpty() ? kernel : new Linker(module, kernel).link();
    }

    /** Whether a name of the linked body stands for something of that function. */
    static boolean isOf(String name, String function) {
        return name.endsWith("@" + function);
    }

    private static List<Instruction> calls(PtxFunction function) {
        return function.body().stream().filter(i -> i.opcode().equals("call")).toList();
    }

    /** The function that an instruction calls, or null when it calls what a register holds. */
    static String callee(Instruction call) {
        if (call.operands().stream().anyMatch(o -> o instanceof Operand.Reg)) {
            return null;
        }
        return call.operands().stream().filter(o -> o instanceof Operand.Symbol)
                .map(o -> ((Operand.Symbol) o).name()).findFirst().orElse(null);
    }

    private PtxFunction link() {
        visit(kernel, new LinkedHashSet<>());
        if (order.size() > 1) {
            body.add(new Instruction(0, null, "bra", List.of(), List.of(new Operand.Symbol(ENTRY, 0))));
        }
        for (PtxFunction function : order) {
            if (function == kernel && order.size() > 1) {
                labels.put(ENTRY, body.size());
            }
            add(function);
        }
        return new PtxFunction(kernel.name(), kernel.line(), List.of(), kernel.parameters(), kernel.maxThreads(),
                kernel.cluster(), registers, List.copyOf(variables), List.copyOf(body), labels, tables);
    }

    private void visit(PtxFunction function, Set<String> path) {
        if (!path.add(function.name())) {
            return;
        }
        var called = new LinkedHashSet<String>();
        for (Instruction call : calls(function)) {
            String name = callee(call);
            if (name == null) {
                called.addAll(Functions.taken(module));
            }
            if (name != null && module.functions().containsKey(name)) {
                called.add(name);
            }
        }
        callees.put(function.name(), called);
        called.forEach(name -> visit(module.functions().get(name), path));
        order.add(function);
    }

    /** Whether a call of {@code from} may lead to {@code to}. */
    private boolean leads(String from, String to) {
        var seen = new LinkedHashSet<String>();
        var open = new ArrayList<>(List.of(from));
        while (!open.isEmpty()) {
            for (String name : callees.getOrDefault(open.removeLast(), Set.of())) {
                if (seen.add(name)) {
                    open.add(name);
                }
            }
        }
        return seen.contains(to);
    }

    private void add(PtxFunction function) {
        String suffix = function == kernel ? "" : "@" + function.name();
        boolean again = leads(function.name(), function.name());
        function.registers().forEach((name, type) -> registers.put(name + suffix, type));
        var own = new ArrayList<>(function.variables());
        if (function != kernel) {
            own.addAll(function.parameters());
            own.addAll(function.results());
        }
        var names = new LinkedHashSet<String>();
        for (Variable variable : own) {
            names.add(variable.name());
            boolean array = again && variable.space().equals("local");
            variables.add(new Variable(variable.name() + suffix, array ? "frame"
                    : variable.space().equals("param") ? "local" : variable.space(), variable.type(), variable.align(),
                    variable.bytes(), variable.initial(), variable.pointers()));
        }
        names.addAll(function.labels().keySet());
        names.addAll(function.tables().keySet());
        int start = body.size();
        if (function != kernel) {
            labels.put(function.name(), start);
        }
        function.labels().forEach((label, at) -> labels.put(label + suffix, start + at));
        function.tables().forEach((name, targets) -> tables.put(name + suffix,
                targets.stream().map(t -> t + suffix).toList()));
        for (Instruction instruction : function.body()) {
            body.add(renamed(instruction, function, suffix, names));
        }
        body.add(new Instruction(0, null, function == kernel ? "exit" : "return", List.of(), List.of()));
    }

    private Instruction renamed(Instruction instruction, PtxFunction function, String suffix, Set<String> names) {
        List<Operand> operands = instruction.operands().stream().map(o -> renamed(o, function, suffix, names)).toList();
        Operand.Reg guard = instruction.guard() == null ? null
                : (Operand.Reg) renamed(instruction.guard(), function, suffix, names);
        if (instruction.opcode().equals("call")) {
            return call(instruction, guard, operands, function);
        }
        String opcode = instruction.opcode().equals("ret") && function != kernel ? "return"
                : instruction.opcode().equals("mov") && onStack(instruction.operands().getLast(), function) ? "frame"
                : instruction.opcode();
        List<String> modifiers = instruction.modifiers();
        if (modifiers.contains("param") && (function != kernel || isLocal(instruction, names))) {
            modifiers = modifiers.stream().map(m -> m.equals("param") ? "local" : m).toList();
        }
        return new Instruction(instruction.line(), guard, opcode, modifiers, operands);
    }

    /** A call with the operands caller, callee, results, arguments, and for calls through a pointer its register. */
    private Instruction call(Instruction call, Operand.Reg guard, List<Operand> operands, PtxFunction function) {
        String callee = callee(call);
        Operand results = new Operand.Vector(List.of());
        Operand arguments = results;
        Operand pointer = null;
        boolean seen = false;
        for (Operand operand : operands) {
            if (operand instanceof Operand.Vector) {
                results = seen ? results : operand;
                arguments = seen ? operand : arguments;
            } else {
                pointer = seen || !(operand instanceof Operand.Reg) ? pointer : operand;
                seen = true;
            }
        }
        Set<String> targets = callee == null ? Functions.taken(module) : Set.of(callee);
        boolean again = targets.stream().anyMatch(t -> t.equals(function.name()) || leads(t, function.name()));
        var all = new ArrayList<Operand>(List.of(new Operand.Symbol(function.name(), 0),
                new Operand.Symbol(callee == null ? "" : callee, 0), results, arguments));
        if (pointer != null) {
            all.add(pointer);
        }
        return new Instruction(call.line(), guard, "call", again ? List.of(AGAIN) : List.of(), List.copyOf(all));
    }

    private boolean onStack(Operand operand, PtxFunction function) {
        return operand instanceof Operand.Symbol symbol && leads(function.name(), function.name())
                && function.variables().stream().anyMatch(v -> v.space().equals("local")
                        && v.name().equals(symbol.name()));
    }

    private static boolean isLocal(Instruction instruction, Set<String> names) {
        return instruction.operands().stream().anyMatch(o -> o instanceof Operand.Address(Operand.Symbol base, long _)
                && names.contains(base.name()));
    }

    private Operand renamed(Operand operand, PtxFunction function, String suffix, Set<String> names) {
        return switch (operand) {
            case Operand.Reg reg -> function.registers().containsKey(reg.name())
                    ? new Operand.Reg(reg.name() + suffix, reg.negated()) : reg;
            case Operand.Symbol symbol -> names.contains(symbol.name())
                    ? new Operand.Symbol(symbol.name() + suffix, symbol.offset()) : symbol;
            case Operand.Address address -> new Operand.Address(
                    renamed(address.base(), function, suffix, names), address.offset());
            case Operand.Vector vector -> new Operand.Vector(
                    vector.elements().stream().map(e -> renamed(e, function, suffix, names)).toList());
            case Operand.Pair pair -> new Operand.Pair(renamed(pair.first(), function, suffix, names),
                    renamed(pair.second(), function, suffix, names));
            case Operand.Imm imm -> imm;
            case Operand.Sink sink -> sink;
        };
    }
}
