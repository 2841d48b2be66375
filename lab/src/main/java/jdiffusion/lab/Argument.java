package jdiffusion.lab;

/** One argument of a launch, as it was written. */
sealed interface Argument {

    /** A number; it takes the type of the kernel's parameter, or that of {@code cast} where one is given. */
    record Number(String text, DataType cast) implements Argument {}

    /** The bytes of a structure. */
    record Bytes(byte[] bytes) implements Argument {}

    /** Whether a kernel may read an array, write it, or both. */
    enum Direction { IN, OUT, INOUT }

    /**
     * An array.
     *
     * @param name   by which it is spoken of
     * @param source a file or a call that makes one; null for an array that an earlier launch has brought
     */
    record Array(String name, Direction direction, String source) implements Argument {}
}
