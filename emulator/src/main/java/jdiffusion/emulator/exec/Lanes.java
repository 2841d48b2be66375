package jdiffusion.emulator.exec;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Registers of a warp as vectors: some lanes at a time, from lane {@code i} on. */
final class Lanes {
    private static final VectorShape SHAPE = VectorShape.preferredShape();
    static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, SHAPE);
    static final VectorSpecies<Float> FLOATS = VectorSpecies.of(float.class, SHAPE);
    static final VectorSpecies<Long> LONGS = VectorSpecies.of(long.class, SHAPE);
    /** Lanes in a vector of 32-bit registers. */
    static final int STEP = INTS.length();
    /** Lanes in a vector of 64-bit registers. */
    static final int LONG_STEP = LONGS.length();
    private static final IntVector BITS = IntVector.broadcast(INTS, 1).lanewise(VectorOperators.LSHL,
            IntVector.zero(INTS).addIndex(1));
    private static final LongVector LONG_BITS = LongVector.broadcast(LONGS, 1).lanewise(VectorOperators.LSHL,
            LongVector.zero(LONGS).addIndex(1));

    private Lanes() {}

    static IntVector ints(Warp w, int slot, int i) {
        return IntVector.fromArray(INTS, w.r, slot + i);
    }

    static FloatVector floats(Warp w, int slot, int i) {
        return IntVector.fromArray(INTS, w.r, slot + i).reinterpretAsFloats();
    }

    static LongVector longs(Warp w, int slot, int i) {
        return LongVector.fromArray(LONGS, w.q, slot + i);
    }

    /** The lanes of a vector that have their bit set, of those from {@code i} on. */
    static VectorMask<Integer> chosen(int lanes, int i) {
        return BITS.and(lanes >>> i).compare(VectorOperators.NE, 0);
    }

    static VectorMask<Long> chosenLongs(int lanes, int i) {
        return LONG_BITS.and(lanes >>> i).compare(VectorOperators.NE, 0);
    }

    /** Stores a result into the registers of the lanes in {@code mask}. */
    static void put(Warp w, int mask, int slot, int i, IntVector value) {
        if (mask == -1) {
            value.intoArray(w.r, slot + i);
        } else {
            ints(w, slot, i).blend(value, chosen(mask, i)).intoArray(w.r, slot + i);
        }
    }

    static void put(Warp w, int mask, int slot, int i, FloatVector value) {
        put(w, mask, slot, i, value.reinterpretAsInts());
    }

    static void put(Warp w, int mask, int slot, int i, LongVector value) {
        if (mask == -1) {
            value.intoArray(w.q, slot + i);
        } else {
            longs(w, slot, i).blend(value, chosenLongs(mask, i)).intoArray(w.q, slot + i);
        }
    }
}
