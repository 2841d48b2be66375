package jdiffusion.emulator.exec;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.util.List;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Translates setp, set, selp and slct. */
final class SelectEmitter {
    private static final Set<String> COMBINATIONS = Set.of("and", "or", "xor");

    private final LaneCode lane;
    private final CodeBuilder code;

    SelectEmitter(LaneCode lane) {
        this.lane = lane;
        this.code = lane.code();
    }

    void setPredicate(Instruction instruction) {
        compare(instruction);
        code.istore(LaneCode.SCRATCH);
        Operand to = instruction.operands().getFirst();
        if (to instanceof Operand.Pair pair) {
            code.iload(LaneCode.SCRATCH);
            combine(instruction);
            // The second result must see the operands before the first one is stored over them.
            code.iload(LaneCode.SCRATCH).iconst_1().ixor();
            combine(instruction);
            lane.pop(pair.second(), Type.PRED);
            lane.pop(pair.first(), Type.PRED);
        } else {
            code.iload(LaneCode.SCRATCH);
            combine(instruction);
            lane.pop(to, Type.PRED);
        }
    }

    /** set: all ones or 1.0 when true. */
    void set(Instruction instruction) {
        compare(instruction);
        combine(instruction);
        Type to = instruction.type(0);
        if (to == Type.F32) {
            code.i2f();
        } else {
            code.ineg();
        }
        lane.pop(instruction.operands().getFirst(), to);
    }

    private void compare(Instruction instruction) {
        String comparison = instruction.modifiers().getFirst();
        Type type = instruction.type();
        boolean half = type == Type.F16 || type == Type.BF16;
        OpTable.Op op = OpTable.find("setp." + comparison + "."
                + (half ? "f32" : type.name().toLowerCase(java.util.Locale.ROOT)));
        if (op == null) {
            throw new IllegalArgumentException("this comparison is not supported");
        }
        List<Operand> operands = instruction.operands().subList(1, 3);
        if (half) {
            for (Operand operand : operands) {
                lane.push(operand, type);
                lane.call(java.lang.constant.ClassDesc.of(HalfOps.class.getName()), type == Type.F16 ? "f16" : "bf16",
                        java.lang.constant.ConstantDescs.CD_float, java.lang.constant.ConstantDescs.CD_int);
                code.f2d();
            }
            code.invokestatic(op.owner(), op.name(), op.descriptor());
        } else {
            LaneEmitter.call(lane, op, operands, instruction.has("ftz"));
        }
    }

    private void combine(Instruction instruction) {
        for (String modifier : instruction.modifiers()) {
            if (COMBINATIONS.contains(modifier)) {
                lane.push(instruction.operands().get(3), Type.PRED);
                switch (modifier) {
                    case "and" -> code.iand();
                    case "or" -> code.ior();
                    default -> code.ixor();
                }
            }
        }
    }

    void select(Instruction instruction) {
        lane.push(instruction.operands().get(3), Type.PRED);
        Label otherwise = code.newLabel();
        code.ifeq(otherwise);
        choose(instruction, instruction.type(), otherwise);
    }

    /** slct: the first when the last operand is not negative. */
    void selectBySign(Instruction instruction) {
        Operand sign = instruction.operands().get(3);
        Label otherwise = code.newLabel();
        if (instruction.type() == Type.F32) {
            lane.push(sign, Type.F32);
            code.fconst_0().fcmpl().iflt(otherwise);
        } else {
            lane.push(sign, Type.S32);
            code.iflt(otherwise);
        }
        choose(instruction, instruction.type(0), otherwise);
    }

    private void choose(Instruction instruction, Type type, Label otherwise) {
        Label end = code.newLabel();
        lane.push(instruction.operands().get(1), type);
        lane.pop(instruction.operands().get(0), type);
        code.goto_(end).labelBinding(otherwise);
        lane.push(instruction.operands().get(2), type);
        lane.pop(instruction.operands().get(0), type);
        code.labelBinding(end);
    }
}
