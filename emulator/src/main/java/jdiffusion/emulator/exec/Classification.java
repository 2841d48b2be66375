package jdiffusion.emulator.exec;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** What an instruction counts as. */
final class Classification {

    /** Spaces and ways of stores that are not flags in shared memory. */
    private static final List<String> ELSEWHERE = List.of("global", "local", "const", "param", "async");
    private static final List<String> VECTORS = List.of("v2", "v4", "v8");

    private static final Pattern SIZE = Pattern.compile("m(\\d+)n(\\d+)k(\\d+)");

    private Classification() {}

    static Site site(Instruction instruction, String text) {
        InstructionClass kind = kind(instruction);
        int flops = kind != InstructionClass.MMA ? 0 : switch (instruction.opcode()) {
            case "wgmma" -> WarpgroupProduct.of(instruction).flops();
            case "wmma" -> Fragments.Shape.of(instruction).flops();
            default -> flops(instruction);
        };
        return new Site(instruction.line(), text, kind, flops, order(instruction));
    }

    /** Operations of an {@code mma}, a multiply-add counting two; of a sparse one those that are not left out. */
    private static int flops(Instruction instruction) {
        for (String modifier : instruction.modifiers()) {
            Matcher size = SIZE.matcher(modifier);
            if (size.matches()) {
                int all = 2 * Integer.parseInt(size.group(1)) * Integer.parseInt(size.group(2))
                        * Integer.parseInt(size.group(3));
                return instruction.has("sp") ? all / 2 : all;
            }
        }
        throw new IllegalArgumentException("the shape of the product is missing");
    }

    private static int order(Instruction instruction) {
        int order = 0;
        for (String modifier : instruction.modifiers()) {
            order |= switch (modifier) {
                case "relaxed" -> Site.STRONG;
                case "volatile" -> Site.STRONG | Site.VOLATILE;
                case "acquire" -> Site.STRONG | Site.ACQUIRE;
                case "release" -> Site.STRONG | Site.RELEASE;
                case "acq_rel" -> Site.STRONG | Site.ACQUIRE | Site.RELEASE;
                default -> 0;
            };
        }
        return order;
    }

    /** Whether threads may hand on what they have done by flags in shared memory: there are such, and fences. */
    static boolean hasFlags(List<Instruction> body) {
        return body.stream().anyMatch(Classification::isFlag) && body.stream().anyMatch(instruction ->
                (order(instruction) & (Site.RELEASE | Site.ACQUIRE)) != 0 || instruction.opcode().equals("membar")
                || instruction.opcode().equals("fence") && !instruction.has("proxy"));
    }

    /** Whether an instruction may be a store to a flag in shared memory. */
    private static boolean isFlag(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "st" -> (order(instruction) & Site.STRONG) != 0 && !isElsewhere(instruction);
            case "atom", "red" -> !isElsewhere(instruction);
            default -> false;
        };
    }

    private static boolean isElsewhere(Instruction instruction) {
        return ELSEWHERE.stream().anyMatch(instruction::has);
    }

    /** @throws IllegalArgumentException for an instruction that the architecture of a module does not have */
    static void checkTarget(Instruction instruction, String target) {
        if ((instruction.opcode().equals("wgmma") || instruction.opcode().equals("setmaxnreg"))
                && !target.equals("sm_90a")) {
            throw new IllegalArgumentException("this instruction needs .target sm_90a");
        }
        boolean hopper = instruction.has("bulk") || instruction.has("try_wait") || instruction.has("expect_tx")
                || instruction.opcode().equals("elect") || usesCluster(instruction) || isVectorAtomic(instruction)
                || instruction.opcode().equals("mma") && instruction.has("f64") && !instruction.has("m8n8k4");
        if (hopper && target.matches("sm_[1-8]\\d")) {
            throw new IllegalArgumentException("this instruction needs .target sm_90 or a later one");
        }
    }

    /** Whether an instruction has to do with other blocks of a cluster. */
    static boolean usesCluster(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "mapa", "getctarank" -> true;
            case "barrier" -> instruction.has("cluster");
            case "ld", "st", "atom", "red", "mbarrier" -> MemoryEmitter.isOfCluster(instruction);
            case "cp" -> instruction.has("multicast") || instruction.has("mbarrier") && !instruction.has("global")
                    && instruction.has("bulk");
            default -> false;
        };
    }

    /** Whether an instruction updates several numbers of global memory for each lane. */
    static boolean isVectorAtomic(Instruction instruction) {
        return (instruction.opcode().equals("atom") || instruction.opcode().equals("red"))
                && VECTORS.stream().anyMatch(instruction::has);
    }

    /** Bytes that a lane accesses at once where the instruction may access shared memory; at most 16. */
    static int sharedBytes(Instruction instruction) {
        List<Operand> o = instruction.operands();
        return switch (instruction.opcode()) {
            case "ld", "ldu", "st" -> instruction.has("param") || instruction.has("global") || instruction.has("local")
                    || instruction.has("const") ? 16
                    : instruction.type().bytes() * elements(o.get(instruction.opcode().equals("st") ? 1 : 0));
            case "atom", "red" -> Math.min(4, instruction.type().bytes());
            case "mbarrier" -> 8;
            case "wmma" -> 1;
            case "cp" -> instruction.has("arrive") ? 8
                    : o.size() > 2 && !instruction.has("bulk") ? (int) ((Operand.Imm) o.get(2)).bits() : 16;
            default -> 16;
        };
    }

    private static int elements(Operand operand) {
        return operand instanceof Operand.Vector vector ? vector.elements().size() : 1;
    }

    private static InstructionClass kind(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "mma" -> InstructionClass.MMA;
            case "wgmma" -> instruction.has("mma_async") ? InstructionClass.MMA : InstructionClass.BARRIER;
            case "wmma" -> instruction.has("mma") ? InstructionClass.MMA : instruction.has("shared")
                    ? InstructionClass.SHARED : InstructionClass.GLOBAL;
            case "mbarrier" -> InstructionClass.BARRIER;
            case "ldmatrix" -> InstructionClass.LDMATRIX;
            case "stmatrix" -> InstructionClass.SHARED;
            case "cp" -> InstructionClass.CP_ASYNC;
            case "ld", "ldu", "st", "atom", "red" -> instruction.has("shared") ? InstructionClass.SHARED
                    : instruction.has("param") || instruction.has("local") || instruction.has("const")
                    ? InstructionClass.OTHER : InstructionClass.GLOBAL;
            case "bra", "brx", "ret", "exit", "trap", "call", "return" ->
                    InstructionClass.CONTROL;
            case "bar", "barrier" -> InstructionClass.BARRIER;
            case "shfl", "vote", "match", "redux", "activemask", "membar", "fence", "prefetch", "prefetchu", "elect",
                    "movmatrix", "setmaxnreg", "mapa", "getctarank", "isspacep", "griddepcontrol" ->
                    InstructionClass.OTHER;
            default -> isFloat(instruction) ? InstructionClass.FLOAT : InstructionClass.INTEGER;
        };
    }

    private static boolean isFloat(Instruction instruction) {
        for (int n = 0; instruction.type(n) != null; n++) {
            Type type = instruction.type(n);
            if (type.isFloat() || type == Type.F16X2 || type == Type.BF16X2
                    || type == Type.F32X2) {
                return true;
            }
        }
        return false;
    }
}
