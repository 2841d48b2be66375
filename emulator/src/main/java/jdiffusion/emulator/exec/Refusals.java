package jdiffusion.emulator.exec;

import java.util.List;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;

/** Words for instructions that the emulated device does not run. */
final class Refusals {
    private static final String UNSUPPORTED = "this instruction is not supported";
    private static final Set<String> NEWER = Set.of("tcgen05", "clusterlaunchcontrol");
    private static final Set<String> NEWER_TYPES = Set.of("e2m1", "e2m3", "e3m2", "e2m1x2", "e2m3x2", "e3m2x2",
            "ue8m0x2");
    /** CUDA's functions by which a kernel launches another one. */
    private static final List<String> LAUNCHES = List.of("cudaLaunchDevice", "cudaGetParameterBuffer", "cudaCDP");

    private Refusals() {}

    /** What is wrong with an instruction, by what went wrong as it was translated. */
    static String reason(Instruction instruction, RuntimeException cause) {
        boolean said = cause instanceof IllegalArgumentException && cause.getMessage() != null;
        if (said && !cause.getMessage().equals(UNSUPPORTED)) {
            return cause.getMessage();
        }
        String why = why(instruction);
        return why != null ? UNSUPPORTED + " (" + why + ")" : said ? UNSUPPORTED : "malformed instruction";
    }

    static boolean isLaunch(String function) {
        return LAUNCHES.stream().anyMatch(function::startsWith);
    }

    /** Why there is no such instruction here; null where it is not of a kind that is left out as a whole. */
    private static String why(Instruction instruction) {
        String opcode = instruction.opcode();
        if (NEWER.contains(opcode) || instruction.modifiers().stream().anyMatch(NEWER_TYPES::contains)
                || isWide(instruction) || opcode.equals("st") && instruction.has("bulk")
                || opcode.equals("redux") && instruction.has("f32")) {
            return "it needs compute capability 10.0 or more, and the device has 9.0 at most";
        }
        if (instruction.has("b128")) {
            return "atomics of 128 bits are left out";
        }
        return switch (opcode) {
            case "tex", "tld4", "txq" -> "textures are left out";
            case "suld", "sust", "sured", "suq" -> "surfaces are left out";
            case "istypep" -> "textures and surfaces are left out";
            case "multimem" -> "addresses of several devices at once are left out";
            case "tensormap" -> "tensor maps come from the driver and stay as they are";
            case "alloca", "stacksave", "stackrestore" -> "a stack of a size that is not known before is left out";
            case "vadd", "vsub", "vabsdiff", "vmin", "vmax", "vshl", "vshr", "vmad", "vset" ->
                    "scalar video instructions are left out";
            case "shfl", "vote" -> instruction.has("sync") ? null : "without .sync it ends with compute capability 6";
            case "wgmma" -> instruction.has("sp") ? "products of warpgroups with sparse matrices are left out" : null;
            case "mma" -> instruction.has("m8n8k4") && instruction.has("f16")
                    ? "products of halves in this shape are of compute capability 7.0"
                    : instruction.has("sp") && (instruction.has("s4") || instruction.has("u4"))
                    ? "sparse matrices of integers of 4 bits are left out"
                    : "there is no such product of types and shape";
            default -> null;
        };
    }

    /** Loads and stores of 32 bytes. */
    private static boolean isWide(Instruction instruction) {
        boolean moves = instruction.opcode().equals("ld") || instruction.opcode().equals("st");
        return moves && instruction.operands().stream().anyMatch(o -> o instanceof Operand.Vector vector
                && instruction.type() != null && vector.elements().size() * instruction.type().bytes() == 32);
    }
}
