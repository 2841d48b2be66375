package jdiffusion.emulator.exec;

import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Type;

/** What an instruction counts as. */
final class Classification {

    private Classification() {}

    static Site site(Instruction instruction, String text) {
        InstructionClass kind = kind(instruction);
        int depth = instruction.has("m16n8k16") ? 16 : 8;
        int flops = kind == InstructionClass.MMA ? 2 * 16 * 8 * depth : 0;
        return new Site(instruction.line(), text, kind, flops);
    }

    private static InstructionClass kind(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "mma" -> InstructionClass.MMA;
            case "ldmatrix" -> InstructionClass.LDMATRIX;
            case "cp" -> InstructionClass.CP_ASYNC;
            case "ld", "ldu", "st", "atom", "red" -> instruction.has("shared") ? InstructionClass.SHARED
                    : instruction.has("param") || instruction.has("local") || instruction.has("const")
                    ? InstructionClass.OTHER : InstructionClass.GLOBAL;
            case "bra", "brx", "ret", "exit", "trap" -> InstructionClass.CONTROL;
            case "bar", "barrier" -> InstructionClass.BARRIER;
            case "shfl", "vote", "match", "activemask", "membar", "fence", "prefetch", "prefetchu" ->
                    InstructionClass.OTHER;
            default -> isFloat(instruction) ? InstructionClass.FLOAT : InstructionClass.INTEGER;
        };
    }

    private static boolean isFloat(Instruction instruction) {
        for (int n = 0; instruction.type(n) != null; n++) {
            Type type = instruction.type(n);
            if (type.isFloat() || type == Type.F16X2 || type == Type.BF16X2) {
                return true;
            }
        }
        return false;
    }
}
