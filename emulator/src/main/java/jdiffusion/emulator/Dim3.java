package jdiffusion.emulator;

/** Extent of a grid or of a block, or the index of a block or thread: x runs fastest. */
public record Dim3(int x, int y, int z) {

    /** Number of elements, x times y times z. */
    public long count() {
        return (long) x * y * z;
    }

    /** The index that is {@code linear} in an extent like this one. */
    public Dim3 at(long linear) {
        return new Dim3((int) (linear % x), (int) (linear / x % y), (int) (linear / x / y));
    }

    @Override
    public String toString() {
        return "(" + x + ", " + y + ", " + z + ")";
    }
}
