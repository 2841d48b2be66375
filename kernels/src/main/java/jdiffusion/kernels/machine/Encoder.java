package jdiffusion.kernels.machine;

import java.util.Arrays;

/**
 * Bytes of x86-64 instructions: prefixes, operands, jumps. The instructions by name are {@link Assembler}'s.
 *
 * <p>Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 (2.2 REX, 2.3 VEX,
 * 2.7 EVEX).
 */
class Encoder {
    /** The tables of opcodes that VEX and EVEX name by number. */
    static final int MAP_0F = 1;
    static final int MAP_0F38 = 2;
    static final int MAP_0F3A = 3;
    /** The mandatory prefix as VEX and EVEX number it. */
    static final int NONE = 0;
    static final int P66 = 1;
    static final int PF3 = 2;
    static final int PF2 = 3;

    private byte[] code = new byte[1024];
    private int size;
    private int unbound;

    /**
     * What stays the same in all forms of a vector instruction.
     *
     * @param map    table of opcodes
     * @param prefix mandatory prefix
     * @param wide   the bit W
     * @param opcode its byte
     */
    record Op(int map, int prefix, boolean wide, int opcode) {
    }

    /** A copy of what was written; every label must be bound. */
    byte[] code() {
        if (unbound != 0) {
            throw new IllegalStateException(unbound + " jumps lead to labels that are not bound");
        }
        return Arrays.copyOf(code, size);
    }

    void bind(Label label) {
        if (label.position >= 0) {
            throw new IllegalStateException("the label is bound twice");
        }
        label.position = size;
        for (int at : label.waiting) {
            patch(at, size - (at + 4));
        }
        unbound -= label.waiting.size();
        label.waiting.clear();
    }

    void emit(int... bytes) {
        for (int value : bytes) {
            if (size == code.length) {
                code = Arrays.copyOf(code, 2 * size);
            }
            code[size++] = (byte) value;
        }
    }

    void emitInt(int value) {
        emit(value, value >> 8, value >> 16, value >> 24);
    }

    /** The distance to a label, as the last four bytes of a jump. */
    void emitDistance(Label to) {
        if (to.position < 0) {
            to.waiting.add(size);
            unbound++;
            emitInt(0);
        } else {
            emitInt(to.position - (size + 4));
        }
    }

    private void patch(int at, int value) {
        for (int i = 0; i < 4; i++) {
            code[at + i] = (byte) (value >> 8 * i);
        }
    }

    /** A 64-bit instruction on two registers: {@code reg} is the operand in ModRM.reg. */
    void rexRegister(int opcode, int reg, Gpr rm) {
        emit(0x48 | reg >> 3 << 2 | rm.number() >> 3, opcode, 0xc0 | (reg & 7) << 3 | rm.number() & 7);
    }

    /** An instruction on a register and memory, of 64 bits when {@code wide}. */
    void rexMemory(boolean wide, int[] opcode, int reg, Mem mem) {
        int rex = (wide ? 8 : 0) | reg >> 3 << 2 | high(mem.index()) << 1 | high(mem.base());
        if (rex != 0) {
            emit(0x40 | rex);
        }
        emit(opcode);
        memory(reg, mem, 1);
    }

    /** An instruction on three vectors; {@code first} is the operand in vvvv, null for none. */
    void vector(Op op, Vec reg, Vec first, Vec rm) {
        if (reg.needsEvex() || rm.needsEvex() || first != null && first.needsEvex()) {
            evex(op, reg, first, rm);
        } else {
            vex(op, reg.number(), first, 0, rm.number() >> 3, reg.bits());
            emit(op.opcode, 0xc0 | (reg.number() & 7) << 3 | rm.number() & 7);
        }
    }

    /** The same with the last operand in memory; {@code bytes} is how many are read or written. */
    void vector(Op op, Vec reg, Vec first, Mem rm, int bytes) {
        if (reg.needsEvex() || first != null && first.needsEvex()) {
            evex(op, reg, first, rm, bytes);
        } else {
            vex(op, reg.number(), first, high(rm.index()), high(rm.base()), reg.bits());
            emit(op.opcode);
            memory(reg.number(), rm, 1);
        }
    }

    /** An instruction on tiles; {@code first} is the operand in vvvv, 0 for none. */
    void tile(Op op, int reg, int first, int rm) {
        vex(op, reg, Vec.xmm(first), 0, 0, 128);
        emit(op.opcode, 0xc0 | reg << 3 | rm);
    }

    void tile(Op op, int reg, Mem rm) {
        vex(op, reg, null, high(rm.index()), high(rm.base()), 128);
        emit(op.opcode);
        memory(reg, rm, 1);
    }

    void evex(Op op, Vec reg, Vec first, Vec rm) {
        evexPrefix(op, reg, first, rm.number() >> 4, rm.number() >> 3 & 1, reg.bits());
        emit(op.opcode, 0xc0 | (reg.number() & 7) << 3 | rm.number() & 7);
    }

    void evex(Op op, Vec reg, Vec first, Gpr rm) {
        evexPrefix(op, reg, first, 0, rm.number() >> 3, reg.bits());
        emit(op.opcode, 0xc0 | (reg.number() & 7) << 3 | rm.number() & 7);
    }

    void evex(Op op, Vec reg, Vec first, Mem rm, int bytes) {
        evexPrefix(op, reg, first, high(rm.index()), high(rm.base()), reg.bits());
        emit(op.opcode);
        memory(reg.number(), rm, bytes);
    }

    private void vex(Op op, int reg, Vec first, int x, int b, int bits) {
        int vvvv = first == null ? 0 : first.number();
        emit(0xc4, (~reg >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | op.map,
                (op.wide ? 0x80 : 0) | (~vvvv & 15) << 3 | (bits == 256 ? 4 : 0) | op.prefix);
    }

    private void evexPrefix(Op op, Vec reg, Vec first, int x, int b, int bits) {
        int r = reg.number();
        int vvvv = first == null ? 0 : first.number();
        emit(0x62, (~r >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | (~r >> 4 & 1) << 4 | op.map,
                (op.wide ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | op.prefix,
                (bits == 512 ? 0x40 : bits == 256 ? 0x20 : 0) | (~vvvv >> 4 & 1) << 3);
    }

    /** ModRM, SIB and displacement; a displacement of one byte counts in units of {@code unit} (EVEX's disp8*N). */
    private void memory(int reg, Mem mem, int unit) {
        int base = mem.base().number() & 7;
        boolean sib = mem.index() != null || base == Gpr.RSP.number();
        int displacement = mem.displacement();
        boolean isShort = displacement % unit == 0 && (byte) (displacement / unit) == displacement / unit;
        int mod = displacement == 0 && base != Gpr.RBP.number() ? 0 : isShort ? 1 : 2;
        emit(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base));
        if (sib) {
            int index = mem.index() == null ? 4 : mem.index().number() & 7;
            emit(Integer.numberOfTrailingZeros(mem.scale()) << 6 | index << 3 | base);
        }
        if (mod == 1) {
            emit(displacement / unit);
        } else if (mod == 2) {
            emitInt(displacement);
        }
    }

    private static int high(Gpr register) {
        return register == null ? 0 : register.number() >> 3;
    }
}
