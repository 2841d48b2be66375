package jdiffusion.emulator.ptx;

import java.util.List;

/** One operand of an instruction. */
public sealed interface Operand {

    /** A declared or special register; {@code negated} for {@code !%p1}. */
    record Reg(String name, boolean negated) implements Operand {}

    /** A number; {@code kind} is null for an integer, F32 or F64 for the bits of a float ({@code 0f…}). */
    record Imm(long bits, Type kind) implements Operand {}

    /** The address of a variable or parameter, or a label, plus an offset in bytes. */
    record Symbol(String name, long offset) implements Operand {}

    /** {@code [base + offset]}; base is a register, a symbol or a number. */
    record Address(Operand base, long offset) implements Operand {}

    /** {@code {a, b, …}}; of {@code [a, {b, …}]} the address and the vector of coordinates. */
    record Vector(List<Operand> elements) implements Operand {}

    /** {@code a|b}. */
    record Pair(Operand first, Operand second) implements Operand {}

    /** {@code _}: a result that is not wanted. */
    record Sink() implements Operand {}
}
