package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.Type;

/**
 * Instructions that a group of lanes executes from the first to the last. Long ones are cut so that no method of the
 * translated code is too long for the JVM's compiler. A block's first collective instruction comes first, since lanes
 * gather at starts of blocks only, and the others are of the same lanes.
 *
 * @param targets number of the block at each label
 * @param tables labels of each branch table
 */
record BasicBlock(List<Instruction> instructions, Map<String, Integer> targets, Map<String, List<String>> tables) {
    /** Estimated bytes of bytecode after which a block is cut; the JVM compiles methods of up to 8000. */
    private static final int MOST_BYTES = 6000;
    private static final int LANE_BYTES = 42;
    private static final int WARP_BYTES = 75;

    /**
     * Cuts a function's body into blocks; accesses of wide registers get conversions through {@code layout}.
     *
     * @param steps whether each instruction becomes a block of its own
     */
    static List<BasicBlock> of(PtxFunction function, Layout layout, boolean steps) {
        Set<Integer> leaders = new HashSet<>(function.labels().values());
        var bodies = new ArrayList<List<Instruction>>();
        var starts = new HashMap<Integer, Integer>();
        List<Instruction> current = null;
        String collective = null;
        int bytes = 0;
        for (int i = 0; i < function.body().size(); i++) {
            Instruction instruction = function.body().get(i);
            boolean cut = steps || current == null || leaders.contains(i) || bytes > MOST_BYTES || isAlone(instruction)
                    || isCollective(instruction) && !members(instruction).equals(collective);
            if (cut && (current == null || !current.isEmpty())) {
                current = new ArrayList<>();
                bodies.add(current);
                collective = null;
                bytes = 0;
            }
            starts.put(i, bodies.size() - 1);
            bytes += LaneEmitter.handles(instruction) ? LANE_BYTES : WARP_BYTES;
            collective = isCollective(instruction) ? members(instruction) : collective;
            addWidened(current, instruction, layout);
            if (instruction.endsBlock() || isAlone(instruction)) {
                current = null;
            }
        }
        bodies.add(new ArrayList<>());
        starts.put(function.body().size(), bodies.size() - 1);
        var targets = new HashMap<String, Integer>();
        function.labels().forEach((label, at) -> targets.put(label, starts.get(at)));
        return bodies.stream().map(body -> new BasicBlock(body, targets, function.tables())).toList();
    }

    static boolean isBarrier(Instruction instruction) {
        return (instruction.opcode().equals("bar") || instruction.opcode().equals("barrier"))
                && !instruction.has("warp");
    }

    /** True for instructions that are a block of their own: registers are looked at between these. */
    private static boolean isAlone(Instruction instruction) {
        return isBarrier(instruction) || instruction.opcode().equals("wgmma")
                || instruction.opcode().equals("setmaxnreg");
    }

    /** True for instructions that lanes must execute together. */
    static boolean isCollective(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "barrier" -> !instruction.has("cluster") || instruction.has("aligned");
            case "bar", "shfl", "vote", "match", "mma", "ldmatrix", "stmatrix", "movmatrix", "redux", "wmma", "wgmma",
                    "setmaxnreg", "elect" -> true;
            default -> false;
        };
    }

    /** True for instructions of the tensor cores, which all 32 lanes execute. */
    static boolean isWhole(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "mma", "ldmatrix", "stmatrix", "movmatrix", "wmma", "wgmma", "setmaxnreg" -> true;
            default -> false;
        };
    }

    /** The lanes that a collective instruction needs, as text that is equal where they are. */
    private static String members(Instruction instruction) {
        boolean all = isWhole(instruction) || isBarrier(instruction)
                || instruction.operands().getLast() instanceof Operand.Imm imm && (int) imm.bits() == -1;
        return all ? "all" : instruction.operands().getLast().toString();
    }

    /** Loads of up to 32 bits into 64-bit registers, and such stores, go through a 32-bit register. */
    private static void addWidened(List<Instruction> body, Instruction instruction, Layout layout) {
        boolean load = instruction.opcode().equals("ld") && !LaneEmitter.handles(instruction);
        boolean store = instruction.opcode().equals("st");
        Type type = instruction.type();
        int at = load ? 0 : 1;
        if (!load && !store || type == null || type.bits() > 32
                || !(instruction.operands().get(at) instanceof Operand.Reg reg)
                || layout.type(reg.name()) == null || layout.type(reg.name()).bits() != 64) {
            body.add(instruction);
            return;
        }
        var narrow = new Operand.Reg(layout.scratch(Type.B32), false);
        var operands = new ArrayList<>(instruction.operands());
        operands.set(at, narrow);
        var access = new Instruction(instruction.line(), instruction.guard(), instruction.opcode(),
                instruction.modifiers(), operands);
        List<String> widths = load ? type.isSigned() ? List.of("s64", "s32") : List.of("u64", "u32")
                : List.of("u32", "u64");
        var conversion = new Instruction(0, instruction.guard(), "cvt", widths,
                load ? List.of(reg, narrow) : List.of(narrow, reg));
        body.add(load ? access : conversion);
        body.add(load ? conversion : access);
    }
}
