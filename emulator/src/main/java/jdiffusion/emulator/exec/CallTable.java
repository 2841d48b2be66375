package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.Type;
import jdiffusion.emulator.ptx.Variable;

/** The calls of a kernel that {@link Linker} has put together, as they are found while it is translated. */
final class CallTable {

    private record Found(Instruction call, int target, int next) {}

    private final PtxModule module;
    private final PtxFunction linked;
    private final List<Found> found = new ArrayList<>();
    private final Map<String, Integer> frames = new HashMap<>();

    CallTable(PtxModule module, PtxFunction linked) {
        this.module = module;
        this.linked = linked;
    }

    /** Notes a call; returns its number. */
    int add(Instruction call, int target, int next) {
        PtxFunction callee = callee(call);
        if (elements(call, 2).size() != callee.results().size()
                || elements(call, 3).size() != callee.parameters().size()) {
            throw new IllegalArgumentException("the function takes %d parameters and gives %d results".formatted(
                    callee.parameters().size(), callee.results().size()));
        }
        found.add(new Found(call, target, next));
        return found.size() - 1;
    }

    /**
     * Notes a call through a pointer: a call of each function whose address is taken and that has such parameters and
     * results. Returns their numbers by the functions' order in the module, -1 for the others.
     *
     * @param targets blocks by the functions' names
     */
    int[] addAll(Instruction call, Map<String, Integer> targets, int next) {
        Set<String> taken = Functions.taken(module);
        return module.functions().values().stream().mapToInt(function -> {
            if (!taken.contains(function.name()) || !fits(elements(call, 2), function.results())
                    || !fits(elements(call, 3), function.parameters())) {
                return -1;
            }
            var operands = new ArrayList<>(call.operands());
            operands.set(1, new Operand.Symbol(function.name(), 0));
            return add(call.withOperands(operands), targets.get(function.name()), next);
        }).toArray();
    }

    private boolean fits(List<Operand> given, List<Variable> wanted) {
        return given.size() == wanted.size() && IntStream.range(0, given.size()).allMatch(i -> {
            String name = ((Operand.Symbol) given.get(i)).name();
            return linked.variables().stream().anyMatch(v -> v.name().equals(name)
                    && v.bytes() == wanted.get(i).bytes());
        });
    }

    /** Sets how many bytes a function's arrays take of the stack. */
    void frame(String function, int bytes) {
        frames.put(function, bytes);
    }

    /** Bytes that a function's arrays take of the stack so far. */
    int frame(String function) {
        return frames.getOrDefault(function, 0);
    }

    /** True when a function's arrays lie on the stack. */
    boolean hasStack() {
        return linked.variables().stream().anyMatch(v -> v.space().equals("frame"));
    }

    private PtxFunction callee(Instruction call) {
        return module.functions().get(name(call, 1));
    }

    private static String name(Instruction call, int operand) {
        return ((Operand.Symbol) call.operands().get(operand)).name();
    }

    private static List<Operand> elements(Instruction call, int operand) {
        return ((Operand.Vector) call.operands().get(operand)).elements();
    }

    /** The calls by number, once all code is there and every register has its slot. */
    List<CallSite> sites(Layout layout, ToLongFunction<String> addresses) {
        return found.stream().map(f -> site(f, layout, addresses)).toList();
    }

    private CallSite site(Found found, Layout layout, ToLongFunction<String> addresses) {
        String caller = name(found.call(), 0);
        PtxFunction callee = callee(found.call());
        int[] arguments = new int[3 * callee.parameters().size()];
        for (int i = 0; i < callee.parameters().size(); i++) {
            Variable parameter = callee.parameters().get(i);
            arguments[3 * i] = (int) addresses.applyAsLong(((Operand.Symbol) elements(found.call(), 3).get(i)).name());
            arguments[3 * i + 1] = (int) addresses.applyAsLong(parameter.name() + "@" + callee.name());
            arguments[3 * i + 2] = (int) parameter.bytes();
        }
        int[] results = new int[3 * callee.results().size()];
        for (int i = 0; i < callee.results().size(); i++) {
            Variable result = callee.results().get(i);
            results[3 * i] = (int) addresses.applyAsLong(result.name() + "@" + callee.name());
            var target = (Operand.Symbol) elements(found.call(), 2).get(i);
            results[3 * i + 1] = (int) addresses.applyAsLong(target.name());
            results[3 * i + 2] = (int) result.bytes();
        }
        boolean again = found.call().has(Linker.AGAIN);
        return new CallSite(found.target(), found.next(), arguments, results,
                again ? slots(caller, layout, 32) : new int[0], again ? slots(caller, layout, 64) : new int[0],
                again ? slots(caller, layout, 1) : new int[0], again ? kept(caller, addresses) : new int[0],
                frame(callee.name()));
    }

    private int[] slots(String caller, Layout layout, int bits) {
        return linked.registers().entrySet().stream().filter(e -> Linker.isOf(e.getKey(), caller))
                .filter(e -> (e.getValue() == Type.PRED ? 1 : e.getValue().bits() == 64 ? 64 : 32) == bits)
                .mapToInt(e -> layout.slot(e.getKey())).toArray();
    }

    private int[] kept(String caller, ToLongFunction<String> addresses) {
        List<Variable> own = linked.variables().stream()
                .filter(v -> v.space().equals("local") && Linker.isOf(v.name(), caller)).toList();
        int[] kept = new int[2 * own.size()];
        for (int i = 0; i < own.size(); i++) {
            kept[2 * i] = (int) addresses.applyAsLong(own.get(i).name());
            kept[2 * i + 1] = (int) own.get(i).bytes();
        }
        return kept;
    }
}
