package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.util.List;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Translates {@code cvt}. */
final class ConvertEmitter {
    private static final ClassDesc HALF = ClassDesc.of(HalfOps.class.getName());
    private static final ClassDesc FLOATS = ClassDesc.of(FloatOps.class.getName());
    private static final ClassDesc FLOAT8 = ClassDesc.of(Float8.class.getName());
    private static final ClassDesc ROUNDING = ClassDesc.of(Rounding.class.getName());

    /** Of conversions between single numbers, and of two floats to a pair of halves. */
    private static final Set<String> MODIFIERS = Set.of("rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "ftz", "sat",
            "relu");

    private final LaneCode lane;

    ConvertEmitter(LaneCode lane) {
        this.lane = lane;
    }

    void emit(Instruction instruction) {
        List<Operand> operands = instruction.operands();
        if (instruction.has("tf32") && instruction.has("rna") && instruction.type(0) == Type.F32) {
            lane.push(operands.get(1), Type.F32);
            lane.call(LaneCode.CONVERSIONS, "tf32", CD_int, CD_float);
            lane.pop(operands.get(0), Type.B32);
            return;
        }
        if (Float8.isConversion(instruction)) {
            float8(instruction);
            return;
        }
        if (instruction.has("pack")) {
            packIntegers(instruction);
            return;
        }
        Type to = instruction.type(0);
        Type from = instruction.type(1);
        if (to == null || from == null) {
            throw new IllegalArgumentException("conversion between types that are not supported");
        }
        if (!instruction.modifiers().stream().allMatch(m -> MODIFIERS.contains(m) || Type.of(m) != null)) {
            throw new IllegalArgumentException("this conversion is not supported");
        }
        boolean packed = to == Type.F16X2 || to == Type.BF16X2;
        if (packed && from == Type.F32 && operands.size() == 3) {
            pack(instruction, to);
            return;
        }
        if (packed || from == Type.F16X2 || from == Type.BF16X2) {
            throw new IllegalArgumentException("this packed conversion is not supported");
        }
        lane.push(operands.get(1), from);
        if (from.isFloat() && to.isFloat()) {
            floatToFloat(instruction, from, to);
        } else if (from.isFloat()) {
            floatToInt(instruction, from, to);
        } else if (to.isFloat()) {
            intToFloat(instruction, from, to);
        } else {
            intToInt(instruction, from, to);
        }
        lane.pop(operands.get(0), to);
    }

    /** {@code cvt.pack}: two integers, the second one lowest, before what the third one has in its low bits. */
    private void packIntegers(Instruction instruction) {
        List<Operand> operands = instruction.operands();
        Type to = instruction.type(0);
        boolean more = operands.size() == 4;
        if (!instruction.has("sat") || instruction.type(1) != Type.S32 || to.bits() != (more ? 8 : 16)) {
            throw new IllegalArgumentException("this packed conversion is not supported");
        }
        for (int i = 1; i < operands.size(); i++) {
            lane.push(operands.get(i), i < 3 ? Type.S32 : Type.B32);
        }
        if (!more) {
            lane.code().iconst_0();
        }
        lane.code().loadConstant(to.bits()).loadConstant(to.isSigned() ? 1 : 0);
        lane.call(LaneCode.CONVERSIONS, "packIntegers", CD_int, CD_int, CD_int, CD_int, CD_int, CD_int);
        lane.pop(operands.get(0), Type.B32);
    }

    /** Pairs of floats of 8 bits; they are written with {@code satfinite} only. */
    private void float8(Instruction instruction) {
        List<Operand> operands = instruction.operands();
        boolean result = Float8.isResult(instruction);
        Type other = instruction.type(0);
        boolean relu = instruction.has("relu");
        int e5m2 = Float8.isE5m2(instruction) ? 1 : 0;
        if (result && other == Type.F32 && instruction.has("satfinite") && operands.size() == 3) {
            for (int i = 1; i <= 2; i++) {
                lane.push(operands.get(i), Type.F32);
                if (relu) {
                    lane.call(LaneCode.CONVERSIONS, "relu", CD_float, CD_float);
                }
            }
            lane.code().loadConstant(e5m2);
            lane.call(FLOAT8, "pack", CD_int, CD_float, CD_float, CD_int);
            lane.pop(operands.get(0), Type.B16);
        } else if (result && other == Type.F16X2 && instruction.has("satfinite")) {
            lane.push(operands.get(1), Type.B32);
            if (relu) {
                lane.code().iconst_0();
                lane.call(HALF, "maxNanF16x2", CD_int, CD_int, CD_int);
            }
            lane.code().loadConstant(e5m2);
            lane.call(FLOAT8, "packHalves", CD_int, CD_int, CD_int);
            lane.pop(operands.get(0), Type.B16);
        } else if (!result && other == Type.F16X2) {
            lane.push(operands.get(1), Type.B16);
            lane.code().loadConstant(e5m2);
            lane.call(FLOAT8, relu ? "reluHalves" : "halves", CD_int, CD_int, CD_int);
            lane.pop(operands.get(0), Type.B32);
        } else {
            throw new IllegalArgumentException("this conversion of floats of 8 bits is not supported");
        }
    }

    private static int mode(Instruction instruction) {
        for (String modifier : instruction.modifiers()) {
            switch (modifier) {
                case "rz", "rzi" -> {
                    return Rounding.RZ;
                }
                case "rm", "rmi" -> {
                    return Rounding.RM;
                }
                case "rp", "rpi" -> {
                    return Rounding.RP;
                }
                default -> { }
            }
        }
        return Rounding.RN;
    }

    private static boolean toWhole(Instruction instruction) {
        return instruction.has("rni") || instruction.has("rzi") || instruction.has("rmi") || instruction.has("rpi");
    }

    private void pack(Instruction instruction, Type to) {
        for (int i = 1; i <= 2; i++) {
            lane.push(instruction.operands().get(i), Type.F32);
            if (instruction.has("relu")) {
                lane.call(LaneCode.CONVERSIONS, "relu", CD_float, CD_float);
            }
        }
        lane.code().loadConstant(mode(instruction));
        lane.call(LaneCode.CONVERSIONS, to == Type.F16X2 ? "packF16" : "packBf16", CD_int, CD_float, CD_float, CD_int);
        lane.pop(instruction.operands().get(0), Type.B32);
    }

    /** Widens a 16-bit float on the stack to float32, flushing where asked for. */
    private void widen(Instruction instruction, Type from) {
        if (from == Type.F16 || from == Type.BF16) {
            lane.call(HALF, from == Type.F16 ? "f16" : "bf16", CD_float, CD_int);
        } else if (from == Type.F32 && instruction.has("ftz")) {
            lane.call(FLOATS, "flush", CD_float, CD_float);
        }
    }

    private void floatToFloat(Instruction instruction, Type from, Type to) {
        widen(instruction, from);
        boolean wide = from == Type.F64;
        if (toWhole(instruction)) {
            lane.code().loadConstant(mode(instruction));
            if (wide) {
                lane.call(ROUNDING, "whole", CD_double, CD_double, CD_int);
            } else {
                lane.call(LaneCode.CONVERSIONS, "wholeFloat", CD_float, CD_float, CD_int);
            }
        }
        if (instruction.has("sat")) {
            ClassDesc type = wide ? CD_double : CD_float;
            lane.call(wide ? ClassDesc.of(DoubleOps.class.getName()) : FLOATS, "saturate", type, type);
        }
        if (instruction.has("relu")) {
            lane.call(LaneCode.CONVERSIONS, "relu", CD_float, CD_float);
        }
        int mode = toWhole(instruction) ? Rounding.RN : mode(instruction);
        switch (to) {
            case F64 -> {
                if (!wide) {
                    lane.code().f2d();
                }
            }
            case F32 -> {
                if (wide) {
                    lane.code().loadConstant(mode);
                    lane.call(LaneCode.CONVERSIONS, "toFloat", CD_float, CD_double, CD_int);
                }
                if (instruction.has("ftz")) {
                    lane.call(FLOATS, "flush", CD_float, CD_float);
                }
            }
            default -> {
                lane.code().loadConstant(mode);
                boolean f16 = to == Type.F16;
                if (wide) {
                    lane.call(LaneCode.CONVERSIONS, f16 ? "toF16" : "toBf16", CD_int, CD_double, CD_int);
                } else {
                    lane.call(LaneCode.CONVERSIONS, f16 ? "f16" : "bf16", CD_int, CD_float, CD_int);
                }
            }
        }
    }

    private void floatToInt(Instruction instruction, Type from, Type to) {
        widen(instruction, from);
        if (to == Type.S32 && from == Type.F32 && instruction.has("rzi")) {
            lane.code().f2i();
            return;
        }
        if (from != Type.F64) {
            lane.code().f2d();
        }
        lane.code().loadConstant(to.bits()).loadConstant(mode(instruction));
        lane.call(LaneCode.CONVERSIONS, to.isSigned() ? "toSigned" : "toUnsigned", CD_long, CD_double, CD_int, CD_int);
        lane.convert(TypeKind.LONG, LaneCode.kind(to), to.isSigned());
    }

    private void intToFloat(Instruction instruction, Type from, Type to) {
        int mode = mode(instruction);
        if (from == Type.S32 && to == Type.F32 && mode == Rounding.RN) {
            lane.code().i2f();
        } else {
            lane.convert(LaneCode.kind(from), TypeKind.LONG, from.isSigned());
            String suffix = from == Type.U64 ? "Unsigned" : "";
            if (to == Type.F32) {
                lane.code().loadConstant(mode);
                lane.call(ROUNDING, "toFloat" + suffix, CD_float, CD_long, CD_int);
            } else {
                lane.code().loadConstant(mode);
                lane.call(ROUNDING, "toDouble" + suffix, CD_double, CD_long, CD_int);
                if (to != Type.F64) {
                    lane.code().loadConstant(mode);
                    lane.call(LaneCode.CONVERSIONS, to == Type.F16 ? "toF16" : "toBf16", CD_int, CD_double, CD_int);
                }
            }
        }
        if (instruction.has("sat") && to == Type.F32) {
            lane.call(FLOATS, "saturate", CD_float, CD_float);
        }
    }

    private void intToInt(Instruction instruction, Type from, Type to) {
        if (instruction.has("sat")) {
            lane.convert(LaneCode.kind(from), TypeKind.LONG, from.isSigned());
            lane.code().loadConstant(to.bits());
            String name = from == Type.U64
                    ? to.isSigned() ? "clampUnsignedToSigned" : "clampUnsignedToUnsigned"
                    : to.isSigned() ? "clampSigned" : "clampUnsigned";
            lane.call(LaneCode.CONVERSIONS, name, CD_long, CD_long, CD_int);
            lane.convert(TypeKind.LONG, LaneCode.kind(to), to.isSigned());
        } else {
            lane.convert(LaneCode.kind(from), LaneCode.kind(to), from.isSigned());
        }
        if (LaneCode.kind(to) == TypeKind.INT) {
            lane.normalise(to);
        }
    }
}
