package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.emulator.ptx.Type;

/**
 * Where the registers of a kernel lie in a warp. A slot is the first of 32 consecutive array elements, one per lane:
 * ints for everything up to 32 bits (floats as bits), longs for 64 bits. Predicates are bit masks, one int each.
 * Immediates and special registers that warp-wide instructions use have slots too, filled before a block starts.
 */
final class Layout {
    static final int LANES = 32;

    /** A special register and the slot that holds it. */
    record Special(String name, int slot) {}

    /** A declared register and its slot. */
    record Register(Type type, int slot) {}

    private final Map<String, Type> types;
    private final Map<String, Integer> slots = new HashMap<>();
    private final Map<Integer, Integer> intConstants = new LinkedHashMap<>();
    private final Map<Long, Integer> longConstants = new LinkedHashMap<>();
    private final List<Special> specials = new ArrayList<>();
    private int ints;
    private int longs;
    private int predicates;

    Layout(Map<String, Type> declared) {
        this.types = new HashMap<>(declared);
        types.put(LaneEmitter.CARRY, Type.U32);
    }

    /** Declared type of a register; special ones are U32, U64 or a predicate; null when there is no such register. */
    Type type(String register) {
        Type type = types.get(register);
        if (type == null && Specials.isSpecial(register)) {
            type = Specials.type(register);
            types.put(register, type);
        }
        return type;
    }

    /** Slot of a register: an index into ints or longs, or the index of a predicate. */
    int slot(String register) {
        Integer slot = slots.get(register);
        if (slot == null) {
            Type type = type(register);
            slot = type == Type.PRED ? predicates++ : type.bits() == 64 ? newLong() : newInt();
            slots.put(register, slot);
            if (Specials.isSpecial(register)) {
                specials.add(new Special(register, slot));
            }
        }
        return slot;
    }

    /** A register that the PTX does not name. */
    String scratch(Type type) {
        String name = "scratch" + types.size();
        types.put(name, type);
        return name;
    }

    /** Declared registers that have a slot, by name. */
    Map<String, Register> registers() {
        var registers = new TreeMap<String, Register>(Layout::inOrder);
        slots.forEach((name, slot) -> {
            if (name.startsWith("%")) {
                registers.put(name, new Register(type(name), slot));
            }
        });
        return registers;
    }

    /** As people count: {@code %r9} before {@code %r10}. */
    private static int inOrder(String a, String b) {
        String[] x = a.split("(?<=\\D)(?=\\d+$)");
        String[] y = b.split("(?<=\\D)(?=\\d+$)");
        return x.length == 2 && y.length == 2 && x[0].equals(y[0]) && x[1].length() != y[1].length()
                ? Integer.compare(x[1].length(), y[1].length()) : a.compareTo(b);
    }

    private int newInt() {
        ints += LANES;
        return ints - LANES;
    }

    private int newLong() {
        longs += LANES;
        return longs - LANES;
    }

    int constant(int value) {
        return intConstants.computeIfAbsent(value, v -> newInt());
    }

    int constant(long value) {
        return longConstants.computeIfAbsent(value, v -> newLong());
    }

    int ints() {
        return ints;
    }

    int longs() {
        return longs;
    }

    int predicates() {
        return predicates;
    }

    Map<Integer, Integer> intConstants() {
        return intConstants;
    }

    Map<Long, Integer> longConstants() {
        return longConstants;
    }

    List<Special> specials() {
        return specials;
    }
}
