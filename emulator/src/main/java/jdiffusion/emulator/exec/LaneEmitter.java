package jdiffusion.emulator.exec;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToLongFunction;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/**
 * Translates a run of instructions that concern one lane each into one loop over the lanes. Registers are fetched
 * into locals at the start of an iteration and put back at its end.
 */
final class LaneEmitter {
    private static final Set<String> OTHERS =
            Set.of("mov", "cvt", "cvta", "setp", "set", "selp", "slct", "addc", "subc", "madc");
    private static final ClassDesc FLOATS = ClassDesc.of(FloatOps.class.getName());
    static final String CARRY = "carry#";

    private final LaneCode lane;
    private final CodeBuilder code;
    private final Layout layout;
    private final MoveEmitter moves;
    private final SelectEmitter selects;
    private final ConvertEmitter conversions;

    LaneEmitter(CodeBuilder code, Layout layout, ToLongFunction<String> addresses) {
        this.code = code;
        this.layout = layout;
        this.lane = new LaneCode(code, layout, addresses);
        this.moves = new MoveEmitter(lane);
        this.selects = new SelectEmitter(lane);
        this.conversions = new ConvertEmitter(lane);
    }

    /** True for instructions that this class translates. */
    static boolean handles(Instruction instruction) {
        return OTHERS.contains(instruction.opcode()) || instruction.has("cc")
                || instruction.opcode().equals("ld") && instruction.has("param") && !isIndexed(instruction)
                || OpTable.find(OpTable.key(instruction)) != null;
    }

    /** Whether a register says which parameter is read: it is checked, lane after lane. */
    private static boolean isIndexed(Instruction instruction) {
        return instruction.operands().get(1) instanceof Operand.Address address
                && address.base() instanceof Operand.Reg;
    }

    /** Translates the run; an IllegalArgumentException is wrapped by {@code wrap} with its instruction. */
    void emit(List<Instruction> run, Failure failure) {
        var fetched = new LinkedHashSet<String>();
        var written = new LinkedHashSet<String>();
        for (Instruction instruction : run) {
            try {
                trace(instruction, fetched, written);
            } catch (RuntimeException e) {
                throw failure.at(instruction, e);
            }
        }
        var predicates = new LinkedHashSet<String>();
        for (String register : fetched) {
            if (layout.type(register) == Type.PRED) {
                predicates.add(register);
            }
        }
        written.stream().filter(r -> layout.type(r) == Type.PRED).forEach(predicates::add);
        predicates.forEach(lane::fetch);
        Label loop = code.newLabel();
        Label next = code.newLabel();
        code.iconst_0().istore(LaneCode.LANE).labelBinding(loop);
        code.iload(LaneCode.MASK).iload(LaneCode.LANE).iushr().iconst_1().iand().ifeq(next);
        fetched.stream().filter(r -> !predicates.contains(r)).forEach(lane::fetch);
        for (Instruction instruction : run) {
            try {
                guarded(instruction);
            } catch (RuntimeException e) {
                throw failure.at(instruction, e);
            }
        }
        written.stream().filter(r -> !predicates.contains(r)).forEach(lane::putBack);
        code.labelBinding(next).iinc(LaneCode.LANE, 1).iload(LaneCode.LANE).bipush(Layout.LANES).if_icmplt(loop);
        predicates.stream().filter(written::contains).forEach(lane::putBack);
    }

    /** Turns what went wrong with an instruction into the exception to throw. */
    interface Failure {
        RuntimeException at(Instruction instruction, RuntimeException cause);
    }

    private void trace(Instruction instruction, Set<String> fetched, Set<String> written) {
        var results = new ArrayList<String>();
        registers(instruction.operands().getFirst(), results);
        var sources = new ArrayList<String>();
        instruction.operands().stream().skip(1).forEach(o -> registers(o, sources));
        if (instruction.guard() != null) {
            sources.add(instruction.guard().name());
        }
        if (CarryOps.reads(instruction)) {
            sources.add(CARRY);
        }
        if (instruction.has("cc")) {
            results.add(CARRY);
        }
        for (String source : sources) {
            if (layout.type(source) == null) {
                throw new IllegalArgumentException("register " + source + " is not supported");
            }
            if (!written.contains(source)) {
                fetched.add(source);
            }
        }
        for (String result : results) {
            if (layout.type(result) == null) {
                throw new IllegalArgumentException("register " + result + " is not declared");
            }
            if (instruction.guard() != null && !written.contains(result)) {
                fetched.add(result);
            }
            written.add(result);
        }
    }

    private static void registers(Operand operand, List<String> into) {
        switch (operand) {
            case Operand.Reg reg -> into.add(reg.name());
            case Operand.Address address -> registers(address.base(), into);
            case Operand.Vector vector -> vector.elements().forEach(e -> registers(e, into));
            case Operand.Pair pair -> {
                registers(pair.first(), into);
                registers(pair.second(), into);
            }
            default -> { }
        }
    }

    private void guarded(Instruction instruction) {
        if (instruction.guard() == null) {
            one(instruction);
            return;
        }
        Label skip = code.newLabel();
        lane.push(instruction.guard(), Type.PRED);
        code.ifeq(skip);
        one(instruction);
        code.labelBinding(skip);
    }

    private void one(Instruction instruction) {
        if (instruction.has("cc") || CarryOps.reads(instruction)) {
            CarryOps.emit(lane, instruction);
            return;
        }
        switch (instruction.opcode()) {
            case "mov" -> moves.move(instruction);
            case "ld" -> moves.parameter(instruction);
            case "cvta" -> moves.convertAddress(instruction);
            case "cvt" -> conversions.emit(instruction);
            case "setp" -> selects.setPredicate(instruction);
            case "set" -> selects.set(instruction);
            case "selp" -> selects.select(instruction);
            case "slct" -> selects.selectBySign(instruction);
            default -> operation(instruction);
        }
    }

    private void operation(Instruction instruction) {
        OpTable.Op op = OpTable.find(OpTable.key(instruction));
        List<Operand> operands = instruction.operands();
        if (operands.size() != op.operands().size() + 1) {
            throw new IllegalArgumentException("wrong number of operands");
        }
        call(lane, op, operands.subList(1, operands.size()), instruction.has("ftz"));
        if (op.result() == Type.F32) {
            if (instruction.has("ftz")) {
                lane.call(FLOATS, "flush", ConstantDescs.CD_float, ConstantDescs.CD_float);
            }
            if (instruction.has("sat")) {
                lane.call(FLOATS, "saturate", ConstantDescs.CD_float, ConstantDescs.CD_float);
            }
        } else if (instruction.has("sat") && op.result().isFloat()) {
            throw new IllegalArgumentException("saturation of this type is not supported");
        }
        lane.pop(operands.getFirst(), op.result());
    }

    /** Pushes the operands and calls the method. */
    static void call(LaneCode lane, OpTable.Op op, List<Operand> operands, boolean flush) {
        for (int i = 0; i < op.operands().size(); i++) {
            Type type = op.operands().get(i);
            lane.push(operands.get(i), type);
            if (type == Type.F32 && flush) {
                lane.call(FLOATS, "flush", ConstantDescs.CD_float, ConstantDescs.CD_float);
            }
            if (type == Type.F32 && TypeKind.from(op.descriptor().parameterType(i)) == TypeKind.DOUBLE) {
                lane.code().f2d();
            }
        }
        lane.code().invokestatic(op.owner(), op.name(), op.descriptor());
    }
}
