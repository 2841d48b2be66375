package jdiffusion.emulator.exec;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ToLongFunction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/**
 * Bytecode of one lane's values: pushes operands, stores results. Registers live in JVM locals while a run of
 * lane-local instructions executes: float32 and float64 registers as such, the others as int or long.
 */
final class LaneCode {
    static final int WARP = 0;
    static final int MASK = 1;
    static final int INTS = 2;
    static final int LONGS = 3;
    static final int PREDICATES = 4;
    static final int LANE = 5;
    /** An int that one instruction may use for itself. */
    static final int SCRATCH = 6;
    /** Another one, of instructions that treat lanes in two ways. */
    static final int OTHERS = 7;
    private static final int FIRST_FREE = 8;
    private static final ClassDesc FLOAT = ClassDesc.of("java.lang.Float");
    private static final ClassDesc DOUBLE = ClassDesc.of("java.lang.Double");
    static final ClassDesc CONVERSIONS = ClassDesc.of(Conversions.class.getName());

    private final CodeBuilder code;
    private final Layout layout;
    private final ToLongFunction<String> addresses;
    private final Map<String, Integer> locals = new HashMap<>();
    private int next = FIRST_FREE;

    /** {@code addresses} gives the address of a variable or parameter in its own space. */
    LaneCode(CodeBuilder code, Layout layout, ToLongFunction<String> addresses) {
        this.code = code;
        this.layout = layout;
        this.addresses = addresses;
    }

    CodeBuilder code() {
        return code;
    }

    Layout layout() {
        return layout;
    }

    /** How the JVM holds a value of a type. */
    static TypeKind kind(Type type) {
        return switch (type) {
            case F32 -> TypeKind.FLOAT;
            case F64 -> TypeKind.DOUBLE;
            case B64, U64, S64, F32X2 -> TypeKind.LONG;
            default -> TypeKind.INT;
        };
    }

    private int local(String register) {
        Integer local = locals.get(register);
        if (local == null) {
            local = next;
            next += kind(layout.type(register)).slotSize();
            locals.put(register, local);
        }
        return local;
    }

    /** Fetches a register of the current lane, or a whole predicate, into its local. */
    void fetch(String register) {
        Type type = layout.type(register);
        int slot = layout.slot(register);
        if (type == Type.PRED) {
            code.aload(PREDICATES).loadConstant(slot).iaload().istore(local(register));
            return;
        }
        boolean wide = type.bits() == 64;
        code.aload(wide ? LONGS : INTS).iload(LANE).loadConstant(slot).iadd();
        if (wide) {
            code.laload();
        } else {
            code.iaload();
        }
        convert(wide ? TypeKind.LONG : TypeKind.INT, kind(type), false);
        code.storeLocal(kind(type), local(register));
    }

    /** Puts a register's local back. */
    void putBack(String register) {
        Type type = layout.type(register);
        int slot = layout.slot(register);
        if (type == Type.PRED) {
            code.aload(PREDICATES).loadConstant(slot).iload(local(register)).iastore();
            return;
        }
        boolean wide = type.bits() == 64;
        code.aload(wide ? LONGS : INTS).iload(LANE).loadConstant(slot).iadd();
        code.loadLocal(kind(type), local(register));
        convert(kind(type), wide ? TypeKind.LONG : TypeKind.INT, false);
        if (wide) {
            code.lastore();
        } else {
            code.iastore();
        }
    }

    /** Pushes an operand as a value of a type; 8 and 16-bit values are extended by the type's sign. */
    void push(Operand operand, Type type) {
        switch (operand) {
            case Operand.Reg reg -> pushRegister(reg, type);
            case Operand.Imm imm -> pushImmediate(imm, type);
            case Operand.Symbol symbol -> {
                long address = addresses.applyAsLong(symbol.name()) + symbol.offset();
                if (kind(type) == TypeKind.LONG) {
                    code.loadConstant(address);
                } else {
                    code.loadConstant((int) address);
                }
            }
            default -> throw new IllegalArgumentException("this kind of operand is not supported here");
        }
    }

    private void pushRegister(Operand.Reg reg, Type type) {
        Type own = layout.type(reg.name());
        if (own == null) {
            throw new IllegalArgumentException("register " + reg.name() + " is not supported");
        }
        if (own == Type.PRED) {
            code.iload(local(reg.name())).iload(LANE).iushr().iconst_1().iand();
            if (reg.negated()) {
                code.iconst_1().ixor();
            }
            return;
        }
        code.loadLocal(kind(own), local(reg.name()));
        convert(kind(own), kind(type), type.isSigned());
        if (kind(type) == TypeKind.INT) {
            normalise(type);
        }
    }

    private void pushImmediate(Operand.Imm imm, Type type) {
        switch (kind(type)) {
            case FLOAT -> code.loadConstant(imm.kind() == Type.F64
                    ? (float) Double.longBitsToDouble(imm.bits()) : Float.intBitsToFloat((int) imm.bits()));
            case DOUBLE -> code.loadConstant(imm.kind() == Type.F32
                    ? (double) Float.intBitsToFloat((int) imm.bits()) : Double.longBitsToDouble(imm.bits()));
            case LONG -> code.loadConstant(imm.bits());
            default -> {
                int value = (int) imm.bits();
                code.loadConstant(switch (type) {
                    case S8 -> (byte) value;
                    case S16 -> (short) value;
                    case B8, U8 -> value & 0xff;
                    case B16, U16, F16, BF16 -> value & 0xffff;
                    default -> value;
                });
            }
        }
    }

    /** Extends an int on the stack from the width of a type, by its sign. */
    void normalise(Type type) {
        switch (type) {
            case S8 -> code.i2b();
            case S16 -> code.i2s();
            case B8, U8 -> code.loadConstant(0xff).iand();
            case B16, U16, F16, BF16 -> code.i2c();
            default -> { }
        }
    }

    /** Stores the value of a type on the stack into a register; {@code _} drops it. */
    void pop(Operand operand, Type type) {
        if (operand instanceof Operand.Sink) {
            if (kind(type).slotSize() == 2) {
                code.pop2();
            } else {
                code.pop();
            }
            return;
        }
        if (!(operand instanceof Operand.Reg reg) || layout.type(reg.name()) == null) {
            throw new IllegalArgumentException("the destination is no register");
        }
        Type own = layout.type(reg.name());
        if (own == Type.PRED) {
            code.iload(local(reg.name())).iload(LANE).invokestatic(ClassDesc.of(LaneCode.class.getName()), "put",
                    MethodTypeDesc.of(ConstantDescs.CD_int, ConstantDescs.CD_int, ConstantDescs.CD_int,
                            ConstantDescs.CD_int)).istore(local(reg.name()));
            return;
        }
        convert(kind(type), kind(own), type.isSigned());
        code.storeLocal(kind(own), local(reg.name()));
    }

    /** Sets one lane's bit of a predicate; called by the translated code. */
    static int put(int value, int bits, int lane) {
        return bits & ~(1 << lane) | value << lane;
    }

    /** Changes how the value on the stack is held: bits are kept, a longer integer is extended, by sign or not. */
    void convert(TypeKind from, TypeKind to, boolean signed) {
        if (from == to) {
            return;
        }
        if (from == TypeKind.FLOAT) {
            call(FLOAT, "floatToRawIntBits", ConstantDescs.CD_int, ConstantDescs.CD_float);
            convert(TypeKind.INT, to, signed);
        } else if (from == TypeKind.DOUBLE) {
            call(DOUBLE, "doubleToRawLongBits", ConstantDescs.CD_long, ConstantDescs.CD_double);
            convert(TypeKind.LONG, to, signed);
        } else if (from == TypeKind.INT && to == TypeKind.FLOAT) {
            call(FLOAT, "intBitsToFloat", ConstantDescs.CD_float, ConstantDescs.CD_int);
        } else if (from == TypeKind.INT) {
            if (signed) {
                code.i2l();
            } else {
                call(CONVERSIONS, "widenUnsigned", ConstantDescs.CD_long, ConstantDescs.CD_int);
            }
            convert(TypeKind.LONG, to, signed);
        } else if (to == TypeKind.DOUBLE) {
            call(DOUBLE, "longBitsToDouble", ConstantDescs.CD_double, ConstantDescs.CD_long);
        } else {
            code.l2i();
            convert(TypeKind.INT, to, signed);
        }
    }

    void call(ClassDesc owner, String name, ClassDesc result, ClassDesc... parameters) {
        code.invokestatic(owner, name, MethodTypeDesc.of(result, parameters));
    }
}
