package jdiffusion.emulator.exec;

import java.util.List;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Type;

/**
 * How an asynchronous instruction combines the numbers that it brings with those that are in memory.
 *
 * @param operation one of {@link Atomics}
 * @param bytes     of a number: 2, 4 or 8
 */
record Reduction(int operation, int bytes) {
    private static final List<String> NAMES = List.of("add", "min", "max", "inc", "dec", "and", "or", "xor");
    private static final int BYTES_SHIFT = 8;

    /** The number of the operation that an instruction names, for {@link #of(int, Type)}. */
    static int number(Instruction instruction) {
        return instruction.modifiers().stream().mapToInt(NAMES::indexOf).filter(i -> i >= 0).findFirst().orElseThrow(
                () -> new IllegalArgumentException("an operation is expected: one of " + NAMES));
    }

    /** The operation of a number on numbers of a type; null where there is none. */
    static Reduction of(int number, Type type) {
        String name = NAMES.get(number);
        boolean exists = type != null && switch (name) {
            case "add" -> type.bits() >= 32 && type.name().matches("[USF]\\d+") || type == Type.F16
                    || type == Type.BF16;
            case "min", "max" -> type.bits() >= 32 && type.name().matches("[US]\\d+") || type == Type.F16
                    || type == Type.BF16;
            case "inc", "dec" -> type == Type.U32;
            default -> type.bits() >= 32 && type.name().matches("[BUS]\\d+");
        };
        return exists ? new Reduction(Atomics.operation(name, type), type.bytes()) : null;
    }

    /** As an argument of translated code. */
    int code() {
        return operation | bytes << BYTES_SHIFT;
    }

    /** The reduction of a code; null for -1. */
    static Reduction of(int code) {
        return code < 0 ? null : new Reduction(code & (1 << BYTES_SHIFT) - 1, code >> BYTES_SHIFT);
    }

    /** Combines words of shared memory from index {@code at} on with {@code count} others. */
    void shared(int[] words, int at, int[] values, int from, int count) {
        for (int i = 0; i < count; i += bytes >> 2) {
            if (bytes == Integer.BYTES) {
                words[at + i] = Atomics.apply(operation, words[at + i], values[from + i], 0);
            } else {
                Words.word64(words, at + i, Atomics.apply(operation, Words.word64(words, at + i),
                        Words.word64(values, from + i), 0L));
            }
        }
    }

    /**
     * Combines the bytes {@code [first, end)} from an address of global memory on, whole numbers, with those of words
     * from index {@code from} on.
     */
    void global(long address, int first, int end, int[] values, int from) {
        for (int b = first; b < end; b += bytes) {
            int word = values[from + (b >> 2)];
            switch (bytes) {
                case Short.BYTES -> Atomics.update16(address + b, operation, word >>> 8 * (b & 3), 0);
                case Integer.BYTES -> Atomics.update32(address + b, operation, word, 0);
                default -> Atomics.update64(address + b, operation, Words.word64(values, from + (b >> 2)), 0);
            }
        }
    }
}
