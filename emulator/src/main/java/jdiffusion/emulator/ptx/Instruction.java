package jdiffusion.emulator.ptx;

import java.util.List;
import java.util.Set;

/**
 * One PTX instruction.
 *
 * @param line line of the text, from 1
 * @param guard predicate that must hold for a lane to take part, or null
 * @param opcode the part before the first dot
 * @param modifiers the parts after it, in order
 */
public record Instruction(
        int line, Operand.Reg guard, String opcode, List<String> modifiers, List<Operand> operands) {

    private static final Set<String> TERMINATORS = Set.of("bra", "brx", "call", "return", "ret", "exit",
            "trap");

    /** The same with other operands. */
    public Instruction withOperands(List<Operand> others) {
        return new Instruction(line, guard, opcode, modifiers, others);
    }

    public boolean has(String modifier) {
        return modifiers.contains(modifier);
    }

    /** The last modifier that names a type, or null. */
    public Type type() {
        for (int i = modifiers.size() - 1; i >= 0; i--) {
            Type type = Type.of(modifiers.get(i));
            if (type != null) {
                return type;
            }
        }
        return null;
    }

    /** The {@code n}-th modifier that names a type, from 0, or null. */
    public Type type(int n) {
        int seen = 0;
        for (String modifier : modifiers) {
            Type type = Type.of(modifier);
            if (type != null && seen++ == n) {
                return type;
            }
        }
        return null;
    }

    /** Opcode and modifiers with dots, as written. */
    public String name() {
        return modifiers.isEmpty() ? opcode : opcode + "." + String.join(".", modifiers);
    }

    /** True when a lane may go elsewhere than to the next instruction. */
    public boolean endsBlock() {
        return TERMINATORS.contains(opcode);
    }
}
