package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.List;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Translates mov with packing and unpacking, ld.param and cvta. */
final class MoveEmitter {
    private static final ClassDesc PARAMETERS = ClassDesc.of(Parameters.class.getName());

    private final LaneCode lane;

    MoveEmitter(LaneCode lane) {
        this.lane = lane;
    }

    void move(Instruction instruction) {
        Type type = instruction.type();
        Operand to = instruction.operands().get(0);
        Operand from = instruction.operands().get(1);
        if (to instanceof Operand.Vector parts) {
            unpack(parts.elements(), from, type);
        } else if (from instanceof Operand.Vector parts) {
            pack(to, parts.elements(), type);
        } else {
            lane.push(from, type);
            lane.pop(to, type);
        }
    }

    private static Type part(Type whole, int count) {
        return switch (whole.bits() / count) {
            case 8 -> Type.B8;
            case 16 -> Type.B16;
            case 32 -> Type.B32;
            default -> throw new IllegalArgumentException("parts of this width are not supported");
        };
    }

    private void unpack(List<Operand> parts, Operand from, Type type) {
        Type part = part(type, parts.size());
        for (int i = 0; i < parts.size(); i++) {
            if (parts.get(i) instanceof Operand.Sink) {
                continue;
            }
            lane.push(from, type);
            if (type.bits() == 64) {
                lane.code().loadConstant(i * part.bits()).lushr().l2i();
            } else {
                lane.code().loadConstant(i * part.bits()).iushr();
            }
            lane.normalise(part);
            lane.pop(parts.get(i), part);
        }
    }

    private void pack(Operand to, List<Operand> parts, Type type) {
        Type part = part(type, parts.size());
        for (int i = 0; i < parts.size(); i++) {
            lane.push(parts.get(i), part);
            if (type.bits() == 64) {
                lane.call(LaneCode.CONVERSIONS, "widenUnsigned", CD_long, CD_int);
                lane.code().loadConstant(i * part.bits()).lshl();
            } else {
                lane.code().loadConstant(i * part.bits()).ishl();
            }
            if (i > 0 && type.bits() == 64) {
                lane.code().lor();
            } else if (i > 0) {
                lane.code().ior();
            }
        }
        lane.pop(to, type);
    }

    /** ld.param of a parameter that is named. */
    void parameter(Instruction instruction) {
        Type type = instruction.type();
        Operand to = instruction.operands().get(0);
        if (!(instruction.operands().get(1) instanceof Operand.Address address)) {
            throw new IllegalArgumentException("an address is expected");
        }
        List<Operand> parts = to instanceof Operand.Vector vector ? vector.elements() : List.of(to);
        for (int i = 0; i < parts.size(); i++) {
            lane.code().aload(LaneCode.WARP);
            lane.push(address.base(), Type.U64);
            lane.code().loadConstant(address.offset() + (long) i * type.bytes()).ladd();
            if (type.bits() == 64) {
                lane.code().invokestatic(PARAMETERS, "wide", MethodTypeDesc.of(CD_long, WarpEmitter.WARP, CD_long));
                lane.pop(parts.get(i), Type.B64);
            } else {
                lane.code().loadConstant(type.bytes()).loadConstant(type.isSigned() ? 1 : 0)
                        .invokestatic(PARAMETERS, "word", MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_long, CD_int,
                                CD_boolean));
                lane.pop(parts.get(i), type.isSigned() ? Type.S32 : Type.B32);
            }
        }
    }

    /** cvta: between a space's own addresses and generic ones. */
    void convertAddress(Instruction instruction) {
        Type type = instruction.type();
        long window = instruction.has("shared") ? GenericMemory.SHARED
                : instruction.has("local") ? GenericMemory.LOCAL
                : instruction.has("param") ? GenericMemory.PARAMETERS : 0;
        if (type.bits() != 64) {
            throw new IllegalArgumentException("this address conversion is not supported");
        }
        lane.push(instruction.operands().get(1), type);
        if (window != 0) {
            lane.code().loadConstant(instruction.has("to") ? -window : window).ladd();
        }
        lane.pop(instruction.operands().get(0), type);
    }
}
