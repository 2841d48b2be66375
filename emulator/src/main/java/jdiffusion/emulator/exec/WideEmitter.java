package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.ToLongFunction;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/**
 * Translates frequent lane-local instructions into calls of {@link WideOp}s: for all lanes at once, with vectors, and
 * with little code in a kernel. What is not of the usual form is left to {@link LaneEmitter}.
 */
final class WideEmitter {
    private final CodeBuilder code;
    private final Layout layout;
    private final WarpEmitter warp;
    private final ToLongFunction<String> addresses;
    private final int paramBytes;

    /** @param paramBytes of the kernel; reads of what lies outside are left to the lanes that execute them */
    WideEmitter(CodeBuilder code, Layout layout, WarpEmitter warp, ToLongFunction<String> addresses, int paramBytes) {
        this.paramBytes = paramBytes;
        this.code = code;
        this.layout = layout;
        this.warp = warp;
        this.addresses = addresses;
    }

    /** Whether all of an instruction is as a {@link WideOp} takes it. */
    boolean handles(Instruction instruction) {
        if (instruction.has("cc") || instruction.has("sat") || CarryOps.reads(instruction)
                || Specials.clock(instruction) != null
                || instruction.guard() != null && !KernelCompiler.isPredicate(layout, instruction.guard())) {
            return false;
        }
        if (instruction.opcode().equals("ld")) {
            return handlesParameter(instruction);
        }
        if (isPacking(instruction)) {
            return true;
        }
        WideTable.Entry entry = WideTable.find(name(instruction));
        List<Operand> operands = instruction.operands();
        if (entry == null || operands.size() != entry.kinds().length()) {
            return false;
        }
        for (int i = 0; i < operands.size(); i++) {
            if (!fits(operands.get(i), entry.kinds().charAt(i), i == 0)) {
                return false;
            }
        }
        return true;
    }

    private static String name(Instruction instruction) {
        if (instruction.opcode().equals("cvta") && instruction.type() == Type.U64 && instruction.has("global")) {
            return "cvta";
        }
        String key = OpTable.key(instruction);
        return instruction.has("ftz") ? key + ".ftz" : key;
    }

    private boolean fits(Operand operand, char kind, boolean result) {
        return switch (operand) {
            case Operand.Reg reg -> {
                Type type = layout.type(reg.name());
                yield kind != 'n' && !reg.negated() && type != null && (kind == 'p' ? type == Type.PRED
                        : type != Type.PRED && type.bits() == (kind == 'i' ? 32 : 64));
            }
            // A double's digits may stand for a float.
            case Operand.Imm imm -> !result && kind != 'p'
                    && (imm.kind() == null || imm.kind() == (kind == 'i' ? Type.F32 : Type.F64));
            case Operand.Symbol _ -> !result && (kind == 'i' || kind == 'l');
            default -> false;
        };
    }

    private boolean handlesParameter(Instruction instruction) {
        Type type = instruction.type();
        if (!(instruction.operands().get(1) instanceof Operand.Address address)
                || !(address.base() instanceof Operand.Symbol)) {
            return false;
        }
        List<Operand> parts = WarpEmitter.elements(instruction.operands().getFirst());
        long at = offset(address);
        if (at < 0 || at > paramBytes - (long) parts.size() * type.bytes()) {
            return false;
        }
        for (Operand part : parts) {
            if (!(part instanceof Operand.Reg) || !fits(part, type.bits() == 64 ? 'l' : 'i', true)) {
                return false;
            }
        }
        return true;
    }

    /** Of a parameter that is named. */
    private long offset(Operand.Address address) {
        var symbol = (Operand.Symbol) address.base();
        return addresses.applyAsLong(symbol.name()) + symbol.offset() + address.offset();
    }

    /** Whether two halves become a word, or a word two halves. */
    private boolean isPacking(Instruction instruction) {
        if (!instruction.opcode().equals("mov") || instruction.type().bits() != 32) {
            return false;
        }
        Operand to = instruction.operands().get(0);
        Operand from = instruction.operands().get(1);
        Operand.Vector halves = to instanceof Operand.Vector v ? v : from instanceof Operand.Vector v ? v : null;
        Operand whole = halves == to ? from : to;
        return halves != null && halves.elements().size() == 2 && whole instanceof Operand.Reg && fits(whole, 'i', true)
                && halves.elements().stream().allMatch(half -> half instanceof Operand.Reg reg
                        && layout.type(reg.name()) != null && layout.type(reg.name()).bits() == 16
                        || half instanceof Operand.Sink && halves == to
                        || half instanceof Operand.Imm imm && imm.kind() == null && halves == from);
    }

    /** Translates an instruction that {@link #handles} is true of. */
    void emit(Instruction instruction) {
        List<Operand> operands = instruction.operands();
        if (instruction.opcode().equals("ld")) {
            parameter(instruction);
        } else if (operands.getFirst() instanceof Operand.Vector halves) {
            unpack(instruction, halves.elements());
        } else if (operands.get(1) instanceof Operand.Vector halves) {
            call(instruction, WideTable.find("pack"), slot(operands.getFirst(), 'i'),
                    slot(halves.elements().get(0), 'i'), slot(halves.elements().get(1), 'i'));
        } else {
            WideTable.Entry entry = WideTable.find(name(instruction));
            int[] slots = new int[operands.size()];
            for (int i = 0; i < slots.length; i++) {
                slots[i] = slot(operands.get(i), entry.kinds().charAt(i));
            }
            call(instruction, entry, slots);
        }
    }

    private void unpack(Instruction instruction, List<Operand> halves) {
        int from = slot(instruction.operands().get(1), 'i');
        if (halves.get(0) instanceof Operand.Reg low) {
            call(instruction, WideTable.find("unpack.low"), slot(low, 'i'), from);
        }
        if (halves.get(1) instanceof Operand.Reg high) {
            call(instruction, WideTable.find("shr.u32"), slot(high, 'i'), from, 16);
        }
    }

    private void parameter(Instruction instruction) {
        Type type = instruction.type();
        var address = (Operand.Address) instruction.operands().get(1);
        int at = (int) offset(address);
        for (Operand part : WarpEmitter.elements(instruction.operands().getFirst())) {
            if (type.bits() == 64) {
                call(instruction, WideTable.find("ld.param.wide"), slot(part, 'l'), at);
            } else {
                call(instruction, WideTable.find("ld.param"), slot(part, 'i'), at, type.bytes(),
                        type.isSigned() ? 1 : 0);
            }
            at += type.bytes();
        }
    }

    private int slot(Operand operand, char kind) {
        return switch (kind) {
            case 'i' -> warp.intSlot(operand);
            case 'l' -> warp.longSlot(operand);
            case 'p' -> warp.predicateSlot(operand);
            default -> (int) ((Operand.Imm) operand).bits();
        };
    }

    private void call(Instruction instruction, WideTable.Entry entry, int... slots) {
        code.aload(LaneCode.WARP).loadConstant(entry.number()).iload(LaneCode.MASK);
        Operand.Reg guard = instruction.guard();
        if (guard != null) {
            code.aload(LaneCode.PREDICATES).loadConstant(layout.slot(guard.name())).iaload();
            if (guard.negated()) {
                code.iconst_m1().ixor();
            }
            code.iand();
        }
        for (int slot : slots) {
            code.loadConstant(slot);
        }
        var parameters = new ArrayList<ClassDesc>(List.of(WarpEmitter.WARP));
        parameters.addAll(Collections.nCopies(2 + slots.length, CD_int));
        code.invokestatic(ClassDesc.of(WideTable.class.getName()), "run", MethodTypeDesc.of(CD_void, parameters));
    }
}
