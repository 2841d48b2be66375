package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import java.lang.constant.ClassDesc;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/**
 * Arithmetic of 32 and 64 bits with the carry flag: add.cc, addc, sub.cc, subc, mad.cc, madc. A difference is a sum with
 * the complement, as in the cards' adders: after sub.cc an addc sees 1 where nothing was borrowed, which the division of
 * {@code __int128} that nvcc emits depends on.
 */
final class CarryOps {
    private static final ClassDesc SELF = ClassDesc.of(CarryOps.class.getName());

    private CarryOps() {}

    /** True when the instruction reads the carry. */
    static boolean reads(Instruction instruction) {
        return instruction.opcode().equals("addc") || instruction.opcode().equals("subc")
                || instruction.opcode().equals("madc");
    }

    /** Sum with carry in, the carry out in the upper half. */
    static long add(int a, int b, int carry) {
        return (a & 0xffffffffL) + (b & 0xffffffffL) + carry;
    }

    static long add64(long a, long b, int carry) {
        return a + b + carry;
    }

    static int carry64(long a, long b, int carry) {
        long sum = a + b;
        return Long.compareUnsigned(sum, a) < 0 || Long.compareUnsigned(sum + carry, sum) < 0 ? 1 : 0;
    }

    static void emit(LaneCode lane, Instruction instruction) {
        Type type = instruction.type();
        if (type != null && type.bits() == 64 && !type.isFloat()) {
            emitWide(lane, instruction, type);
            return;
        }
        if (type == null || type.bits() != 32) {
            throw new IllegalArgumentException("carry is supported for 32 and 64 bits only");
        }
        var operands = instruction.operands();
        var carry = new Operand.Reg(LaneEmitter.CARRY, false);
        boolean product = instruction.opcode().startsWith("mad");
        lane.push(operands.get(1), type);
        if (product) {
            lane.push(operands.get(2), type);
            boolean high = instruction.has("hi");
            String name = !high ? "mul" : type == Type.U32 ? "mulHiUnsigned" : "mulHi";
            lane.call(ClassDesc.of(IntOps.class.getName()), name, CD_int, CD_int, CD_int);
        }
        lane.push(operands.get(product ? 3 : 2), type);
        if (isDifference(instruction)) {
            lane.code().iconst_m1().ixor();
        }
        carry(lane, instruction);
        lane.call(SELF, "add", CD_long, CD_int, CD_int, CD_int);
        if (instruction.has("cc")) {
            lane.code().dup2().bipush(32).lushr();
            lane.pop(carry, Type.U64);
        }
        lane.pop(operands.get(0), Type.U64);
    }

    private static void emitWide(LaneCode lane, Instruction instruction, Type type) {
        terms(lane, instruction, type);
        lane.call(SELF, "add64", CD_long, CD_long, CD_long, CD_int);
        if (instruction.has("cc")) {
            terms(lane, instruction, type);
            lane.call(SELF, "carry64", CD_int, CD_long, CD_long, CD_int);
            lane.pop(new Operand.Reg(LaneEmitter.CARRY, false), Type.U32);
        }
        lane.pop(instruction.operands().get(0), Type.U64);
    }

    /** Pushes what is added, 64 bits each, and the carry. */
    private static void terms(LaneCode lane, Instruction instruction, Type type) {
        var operands = instruction.operands();
        boolean product = instruction.opcode().startsWith("mad");
        lane.push(operands.get(1), type);
        if (product) {
            lane.push(operands.get(2), type);
            String name = !instruction.has("hi") ? "mul" : type == Type.U64 ? "mulHiUnsigned" : "mulHi";
            lane.call(ClassDesc.of(LongOps.class.getName()), name, CD_long, CD_long, CD_long);
        }
        lane.push(operands.get(product ? 3 : 2), type);
        if (isDifference(instruction)) {
            lane.code().loadConstant(-1L).lxor();
        }
        carry(lane, instruction);
    }

    private static boolean isDifference(Instruction instruction) {
        return instruction.opcode().startsWith("sub");
    }

    /** Pushes the carry that goes in. */
    private static void carry(LaneCode lane, Instruction instruction) {
        if (reads(instruction)) {
            lane.push(new Operand.Reg(LaneEmitter.CARRY, false), Type.U32);
        } else {
            lane.code().loadConstant(isDifference(instruction) ? 1 : 0);
        }
    }
}
