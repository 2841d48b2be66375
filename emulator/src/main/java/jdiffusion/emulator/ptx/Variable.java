package jdiffusion.emulator.ptx;

import java.util.List;

/**
 * A variable in memory, or a parameter.
 *
 * @param space param, shared, local, global or const
 * @param type of its elements
 * @param align alignment in bytes
 * @param bytes size; 0 for the unsized {@code .extern .shared} array
 * @param initial first bytes of the content, the rest being zero
 * @param pointers places of the content that hold addresses of other variables
 */
public record Variable(
        String name, String space, Type type, int align, long bytes, byte[] initial, List<Pointer> pointers) {

    /** At {@code at} bytes stands the address of {@code symbol} plus {@code offset}. */
    public record Pointer(int at, String symbol, long offset) {}
}
