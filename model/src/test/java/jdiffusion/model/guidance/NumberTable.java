package jdiffusion.model.guidance;

/** Inputs of reference data that need not be stored. */
public final class NumberTable {
    private NumberTable() {
    }

    /** About -1 to 1. */
    public static float[] of(long seed, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) ((7919L * i + 104729L * seed) % 2003 / 1000.0 - 1);
        }
        return values;
    }
}
