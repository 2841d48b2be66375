package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Runs the bytes that {@link Assembler} writes, decoded by Intel's manual, volume 2, chapter 2, and not by anything of
 * {@link Encoder}'s: the subset of x86-64 that is written, each byte of it checked. Every access to memory must lie in
 * a segment that the call was given, or on the stack. What is not known is a {@link MachineFault}.
 */
final class Interpreter {
    private static final int STACK_BYTES = 1024;
    private static final long RETURN_ADDRESS = 0xdeadL;
    private static final int RSP = 4;
    private static final int VMOVUPS_LOAD = 0x1010;
    private static final int VMOVUPS_STORE = 0x1011;
    private static final int VBROADCASTSS = 0x2118;
    private static final int VPBROADCASTD = 0x217c;
    private static final int[] KEPT = {3, 4, 5, 12, 13, 14, 15};

    private final byte[] code;
    private final InterpretedMemory memory = new InterpretedMemory();
    private final InterpretedVectors vectors = new InterpretedVectors();
    private final InterpretedTiles tiles;
    private final TileCount count;
    private final long[] registers = new long[16];
    private final int[] words = new int[16];
    private int at;
    private boolean zero;

    // Of the instruction at hand: the prefix's bits, and what ModRM and SIB name.
    private boolean wide;
    private int extraReg;
    private int extraIndex;
    private int extraBase;
    private int mod;
    private int reg;
    private int rm;
    private long address;
    private long index;
    private boolean hasIndex;

    Interpreter(byte[] code) {
        this(code, null);
    }

    /** @param count see {@link InterpretedFunction} */
    Interpreter(byte[] code, TileCount count) {
        this.code = code;
        this.count = count;
        tiles = new InterpretedTiles(count);
    }

    /** {@link MachineCall#call}. */
    void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset, long n,
              long stride, long count, long... hints) {
        for (int i = 0; i < registers.length; i++) {
            registers[i] = 0x0bad_0000_0000_0000L + i;
        }
        for (int i = 0; i < 32; i++) {
            Arrays.fill(vectors.register(i), Float.floatToRawIntBits(Float.NaN));
        }
        MemorySegment stack = MemorySegment.ofArray(new long[STACK_BYTES / Long.BYTES]);
        long arguments = memory.place(stack) + STACK_BYTES - (4 + hints.length) * Long.BYTES;
        registers[RSP] = arguments;
        memory.writeLong(arguments, RETURN_ADDRESS);
        memory.writeLong(arguments + 8, n);
        memory.writeLong(arguments + 16, stride);
        memory.writeLong(arguments + 24, count);
        for (int i = 0; i < hints.length; i++) {
            memory.writeLong(arguments + 32 + 8 * i, hints[i]);
        }
        registers[7] = memory.place(a);
        registers[6] = aOffset;
        registers[2] = memory.place(b);
        registers[1] = bOffset;
        registers[8] = memory.place(c);
        registers[9] = cOffset;
        long[] before = registers.clone();
        at = 0;
        while (step()) {
            require(at >= 0 && at < code.length, "the code was left at " + at);
        }
        before[RSP] += Long.BYTES;
        for (int kept : KEPT) {
            require(registers[kept] == before[kept], "register " + kept + " was not kept");
        }
        require(!tiles.configured(), "tiles are left in use");
    }

    /** Multiplications and additions of all multiply-adds so far, on vectors and tiles. */
    long flops() {
        return vectors.flops() + tiles.flops();
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new MachineFault(otherwise);
        }
    }

    private int next() {
        require(at < code.length, "the code ends within an instruction");
        return code[at++] & 0xff;
    }

    private int nextInt() {
        return next() | next() << 8 | next() << 16 | next() << 24;
    }

    /** Whether the function goes on. */
    private boolean step() {
        int start = at;
        int first = next();
        if (count != null) {
            count.instruction();
        }
        try {
            switch (first) {
                case 0xc4 -> vex(true);
                case 0xc5 -> vex(false);
                case 0x62 -> evex();
                default -> {
                    boolean rex = first >> 4 == 4;
                    wide = rex && (first & 8) != 0;
                    extraReg = rex ? first >> 2 & 1 : 0;
                    extraIndex = rex ? first >> 1 & 1 : 0;
                    extraBase = rex ? first & 1 : 0;
                    return general(rex ? next() : first);
                }
            }
            return true;
        } catch (MachineFault e) {
            throw new MachineFault("at %d (%02x): %s".formatted(start, first, e.getMessage()));
        }
    }

    private boolean general(int opcode) {
        switch (opcode) {
            case 0x0f -> twoBytes(next());
            case 0xc3 -> {
                return pop() != RETURN_ADDRESS && fail("a return to elsewhere");
            }
            case 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57 -> push(registers[opcode & 7 | extraBase << 3]);
            case 0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f -> registers[opcode & 7 | extraBase << 3] = pop();
            default -> operands(opcode);
        }
        return true;
    }

    private static boolean fail(String message) {
        throw new MachineFault(message);
    }

    private void operands(int opcode) {
        modRm(1);
        switch (opcode) {
            case 0x89 -> {
                if (mod == 3) {
                    require(wide, "a move of 32 bits between registers is not known");
                    registers[rm] = registers[reg];
                } else if (wide) {
                    memory.writeLong(address + index, registers[reg]);
                } else {
                    memory.writeInt(address + index, (int) registers[reg]);
                }
            }
            case 0x8b -> {
                require(wide && mod != 3, "a move to a register of this kind is not known");
                registers[reg] = memory.readLong(address + index);
            }
            case 0x8d -> {
                require(wide && mod != 3, "an address of this kind is not known");
                registers[reg] = address + index;
            }
            case 0x01 -> {
                require(wide && mod == 3, "a sum of this kind is not known");
                registers[rm] += registers[reg];
                zero = registers[rm] == 0;
            }
            case 0xc7 -> {
                require(wide && mod == 3 && (reg & 7) == 0, "a constant of this kind is not known");
                registers[rm] = nextInt();
            }
            case 0x81 -> {
                require(wide && mod == 3 && ((reg & 7) == 0 || (reg & 7) == 5), "arithmetic of this kind is not known");
                int value = nextInt();
                registers[rm] += (reg & 7) == 0 ? value : -(long) value;
                zero = registers[rm] == 0;
            }
            default -> throw new MachineFault("opcode %02x is not known".formatted(opcode));
        }
    }

    private void twoBytes(int opcode) {
        if (opcode == 0x18 || opcode == 0x0d) {
            modRm(1);
            require(mod != 3 && reg <= 3, "a prefetch of this kind is not known");
            if (count != null) {
                count.prefetch();
            }
            return;
        }
        require(opcode == 0x85, "opcode 0f %02x is not known".formatted(opcode));
        int distance = nextInt();
        if (!zero) {
            at += distance;
        }
    }

    private void push(long value) {
        registers[RSP] -= Long.BYTES;
        memory.writeLong(registers[RSP], value);
    }

    private long pop() {
        long value = memory.readLong(registers[RSP]);
        registers[RSP] += Long.BYTES;
        return value;
    }

    /** Operands; a displacement of one byte counts in units of {@code unit}. */
    private void modRm(int unit) {
        int byteOf = next();
        mod = byteOf >> 6;
        reg = byteOf >> 3 & 7 | extraReg << 3;
        rm = byteOf & 7;
        index = 0;
        hasIndex = false;
        if (mod == 3) {
            rm |= extraBase << 3;
            return;
        }
        int base = rm;
        if (rm == 4) {
            int sib = next();
            base = sib & 7;
            int number = sib >> 3 & 7 | extraIndex << 3;
            hasIndex = number != RSP;
            index = hasIndex ? registers[number] << (sib >> 6) : 0;
        }
        require(mod != 0 || base != 5, "an address without a base is not known");
        address = registers[base | extraBase << 3];
        if (mod == 1) {
            address += (byte) next() * unit;
        } else if (mod == 2) {
            address += nextInt();
        }
    }

    private void vex(boolean three) {
        int second = next();
        int third = three ? next() : second;
        int map = three ? second & 31 : 1;
        extraReg = ~second >> 7 & 1;
        extraIndex = three ? ~second >> 6 & 1 : 0;
        extraBase = three ? ~second >> 5 & 1 : 0;
        wide = three && third >> 7 != 0;
        int first = ~third >> 3 & 15;
        int lanes = (third & 4) != 0 ? 8 : 4;
        int key = code(map, third & 3, next());
        if (key == 0x1077) {
            require(lanes == 4 && first == 0, "vzeroall is not known");
            vectors.zeroUpper();
            return;
        }
        modRm(1);
        int opcode = key & 0xff;
        if (map == 2 && (opcode == 0x49 || opcode == 0x4b || opcode == 0x5c)) {
            require(lanes == 4 && !wide, "#UD: of 128 bits, W 0");
            tile(key, first);
        } else {
            require(!InterpretedVectors.needsEvex(key) && key != VPBROADCASTD, "#UD: no such instruction has VEX");
            // With VEX, instructions of the first table ignore W.
            vector(key, map == 1 ? (key >> 8 & 3) == 1 : wide, first, rm, lanes);
        }
    }

    /** How an instruction is called here: table of opcodes, prefix as VEX and EVEX number it, opcode. */
    private static int code(int map, int prefix, int opcode) {
        return map << 12 | prefix << 8 | opcode;
    }

    private void tile(int key, int first) {
        boolean inMemory = mod != 3;
        require(reg < 8 && first < 8 && (inMemory || rm < 8), "#UD: no such tile");
        switch (key) {
            case 0x2049 -> {
                require(first == 0 && reg == 0, "#UD: operands of ldtilecfg or tilerelease");
                if (inMemory) {
                    tiles.configure(memory, address + index);
                } else {
                    require(rm == 0, "#UD: tilerelease");
                    tiles.release();
                }
            }
            case 0x2349 -> {
                require(!inMemory && rm == 0 && first == 0, "#UD: operands of tilezero");
                tiles.zero(reg);
            }
            case 0x234b, 0x214b -> {
                require(inMemory && hasIndex && first == 0, "#UD: operands of tileloadd");
                tiles.load(memory, reg, address, index);
            }
            case 0x224b -> {
                require(inMemory && hasIndex && first == 0, "#UD: operands of tilestored");
                tiles.store(memory, reg, address, index);
            }
            case 0x225c -> {
                require(!inMemory, "#UD: operands of tdpbf16ps");
                tiles.dotBf16(reg, rm, first);
            }
            default -> throw new MachineFault("instruction %x on tiles is not known".formatted(key));
        }
    }

    private void evex() {
        int second = next();
        int third = next();
        int fourth = next();
        require((second & 8) == 0 && (third & 4) != 0, "#UD: fixed bits of EVEX");
        require((fourth & 0x97) == 0, "masks, zeroing and broadcasts of EVEX are not known");
        int map = second & 7;
        extraReg = ~second >> 7 & 1 | (~second >> 4 & 1) << 1;
        extraIndex = ~second >> 6 & 1;
        extraBase = ~second >> 5 & 1;
        wide = third >> 7 != 0;
        int first = ~third >> 3 & 15 | (~fourth >> 3 & 1) << 4;
        int lanes = 4 << (fourth >> 5 & 3);
        require(lanes <= 16, "#UD: length of EVEX");
        int key = code(map, third & 3, next());
        modRm(key == VBROADCASTSS ? 4 : 4 * lanes);
        vector(key, wide, first, mod == 3 ? rm | extraIndex << 4 : rm, lanes);
    }

    private void vector(int key, boolean w, int first, int last, int lanes) {
        long place = address + index;
        if (count != null && mod != 3) {
            count.vector(place, key == VBROADCASTSS ? 4 : 4 * lanes);
        }
        switch (key) {
            case VMOVUPS_LOAD, VMOVUPS_STORE, VBROADCASTSS -> {
                require(mod != 3 && first == 0 && !w, "this form of move is not known");
                if (key == VMOVUPS_STORE) {
                    memory.write(place, vectors.register(reg), lanes);
                    return;
                }
                if (key == VMOVUPS_LOAD) {
                    memory.read(place, words, lanes);
                } else {
                    Arrays.fill(words, memory.readInt(place));
                }
                vectors.set(reg, words, lanes);
            }
            case VPBROADCASTD -> {
                require(mod == 3 && first == 0 && !w && last < 16, "this form of vpbroadcastd is not known");
                Arrays.fill(words, (int) registers[rm]);
                vectors.set(reg, words, lanes);
            }
            default -> {
                if (mod == 3) {
                    System.arraycopy(vectors.register(last), 0, words, 0, lanes);
                } else {
                    memory.read(place, words, lanes);
                }
                boolean more = key >> 12 == 3 || key == InterpretedVectors.VPSLLD;
                vectors.run(key, w, reg, first, words, lanes, more ? next() : 0);
            }
        }
    }
}
