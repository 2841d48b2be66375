package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;

/**
 * Runs single instructions on all triples of some edge values and compares with plain Java. Operands are
 * {@code %r1 %r2 %r3}, {@code %rd1…}, {@code %h1…}, {@code %f1…} and {@code %d1…}, all from the low bits of the
 * triple; the result is register 0 of one kind, its bits zero-extended. An instruction that is alone runs a second
 * time with a guard, and must leave the registers of the other lanes as they were.
 */
final class InstructionCases {

    /** What the instruction should give. */
    interface Expected {
        long of(long a, long b, long c);
    }

    private record Case(String instruction, Expected expected) {}

    private final List<Case> cases = new ArrayList<>();
    private final long[] values;

    InstructionCases(long... values) {
        this.values = values;
    }

    /** A case whose result has 32 bits. */
    InstructionCases ints(String instruction, Expected expected) {
        cases.add(new Case(instruction, (a, b, c) -> expected.of((int) a, (int) b, (int) c) & 0xffffffffL));
        return this;
    }

    /** A case whose result has 16 bits. */
    InstructionCases shorts(String instruction, Expected expected) {
        cases.add(new Case(instruction, (a, b, c) -> expected.of((short) a, (short) b, (short) c) & 0xffffL));
        return this;
    }

    InstructionCases longs(String instruction, Expected expected) {
        cases.add(new Case(instruction, expected));
        return this;
    }

    /** A case on floats. */
    interface Floats {
        float of(float a, float b, float c);
    }

    InstructionCases floats(String instruction, Floats expected) {
        return ints(instruction, (a, b, c) -> Float.floatToIntBits(expected.of(Float.intBitsToFloat((int) a),
                Float.intBitsToFloat((int) b), Float.intBitsToFloat((int) c))));
    }

    /** A case on doubles. */
    interface Doubles {
        double of(double a, double b, double c);
    }

    InstructionCases doubles(String instruction, Doubles expected) {
        return longs(instruction, (a, b, c) -> Double.doubleToLongBits(expected.of(Double.longBitsToDouble(a),
                Double.longBitsToDouble(b), Double.longBitsToDouble(c))));
    }

    /** What the registers 0 hold before a guarded instruction, in all halves. */
    private static final int BEFORE = 0x5a5a;

    private static boolean isGuarded(int thread) {
        return thread * 7 % 5 < 2;
    }

    private static boolean canBeGuarded(String instruction) {
        return !instruction.contains(";") && !instruction.contains("@");
    }

    private static String guarded(String instruction) {
        return """
                mul.lo.u32 %r0, %r10, 7;
                rem.u32 %r0, %r0, 5;
                setp.lt.u32 %p9, %r0, 2;
                setp.eq.s32 %p0, %r0, %r0;
                mov.u32 %r0, 0x5a5a5a5a;
                mov.b32 %f0, %r0;
                mov.b64 %rd0, {%r0, %r0};
                mov.b64 %d0, %rd0;
                mov.b32 {%h0, _}, %r0;
                """ + "@%p9 " + instruction;
    }

    private static long before(String instruction) {
        long all = BEFORE * 0x0001000100010001L;
        return switch (result(instruction)) {
            case "%p" -> 1;
            case "%h" -> BEFORE;
            case "%r", "%f" -> all & 0xffffffffL;
            default -> all;
        };
    }

    private static String result(String instruction) {
        return instruction.replaceAll("(?s)^.*?[\\s|{](%[a-z]+)0\\b.*$", "$1");
    }

    private static String body(String instruction, String result) {
        return """
                mul.wide.u32 %rd12, %r10, 24;
                add.s64 %rd10, %rd10, %rd12;
                ld.global.u64 %rd1, [%rd10];
                ld.global.u64 %rd2, [%rd10+8];
                ld.global.u64 %rd3, [%rd10+16];
                cvt.u32.u64 %r1, %rd1;
                cvt.u32.u64 %r2, %rd2;
                cvt.u32.u64 %r3, %rd3;
                cvt.u16.u64 %h1, %rd1;
                cvt.u16.u64 %h2, %rd2;
                cvt.u16.u64 %h3, %rd3;
                mov.b32 %f1, %r1;
                mov.b32 %f2, %r2;
                mov.b32 %f3, %r3;
                mov.b64 %d1, %rd1;
                mov.b64 %d2, %rd2;
                mov.b64 %d3, %rd3;
                setp.ne.s32 %p3, %r3, 0;
                """ + instruction + ";\n" + switch (result) {
                    case "%r" -> "cvt.u64.u32 %rd0, %r0;";
                    case "%f" -> "mov.b32 %r0, %f0; cvt.u64.u32 %rd0, %r0;";
                    case "%h" -> "cvt.u64.u16 %rd0, %h0;";
                    case "%d" -> "mov.b64 %rd0, %d0;";
                    case "%p" -> "selp.b64 %rd0, 1, 0, %p0;";
                    default -> "";
                } + """

                mul.wide.u32 %rd12, %r10, 8;
                add.s64 %rd11, %rd11, %rd12;
                st.global.u64 [%rd11], %rd0;
                """;
    }

    /** Runs every case; NaN results only have to be NaN of the right width. */
    void check() {
        var text = new StringBuilder();
        for (int i = 0; i < cases.size(); i++) {
            String instruction = cases.get(i).instruction();
            text.append(Bench.entry("k" + i, "", body(instruction, result(instruction))));
            if (canBeGuarded(instruction)) {
                text.append(Bench.entry("g" + i, "", body(guarded(instruction), result(instruction))));
            }
        }
        PtxProgram program = PtxProgram.translate(Bench.module(text.toString()), "cases.ptx");
        int n = values.length;
        int triples = n * n * n;
        int blocks = (triples + 127) / 128;
        try (Bench bench = Bench.plain()) {
            MemorySegment in = bench.allocate(24L * 128 * blocks);
            MemorySegment out = bench.allocate(8L * 128 * blocks);
            for (int i = 0; i < triples; i++) {
                in.setAtIndex(ValueLayout.JAVA_LONG, 3L * i, values[i % n]);
                in.setAtIndex(ValueLayout.JAVA_LONG, 3L * i + 1, values[i / n % n]);
                in.setAtIndex(ValueLayout.JAVA_LONG, 3L * i + 2, values[i / n / n]);
            }
            for (int k = 0; k < cases.size(); k++) {
                Case one = cases.get(k);
                String instruction = one.instruction();
                LongUnaryOperator bits = nanIs(instruction);
                for (boolean guard : canBeGuarded(instruction) ? new boolean[] {false, true} : new boolean[1]) {
                    for (int block = 0; block < blocks; block++) {
                        bench.launch(program, (guard ? "g" : "k") + k, 1, 128, 0, in.asSlice(24L * 128 * block),
                                out.asSlice(8L * 128 * block));
                    }
                    for (int i = 0; i < triples; i++) {
                        long a = values[i % n];
                        long b = values[i / n % n];
                        long c = values[i / n / n];
                        long actual = bits.applyAsLong(out.getAtIndex(ValueLayout.JAVA_LONG, i));
                        long expected = bits.applyAsLong(guard && !isGuarded(i % 128) ? before(instruction)
                                : one.expected().of(a, b, c));
                        // Millions of assertions would take longer than what they check.
                        if (actual != expected) {
                            assertThat(actual).as("%s of 0x%x, 0x%x, 0x%x%s", instruction, a, b, c,
                                    guard ? ", guarded" : "").isEqualTo(expected);
                        }
                    }
                }
            }
        }
    }

    private static LongUnaryOperator nanIs(String instruction) {
        String last = instruction.split("\\s")[0];
        if (instruction.matches("(?s).*\\s%f0.*") && last.contains("f32")) {
            return bits -> Float.isNaN(Float.intBitsToFloat((int) bits)) ? 0x7fc00000L : bits;
        }
        if (instruction.matches("(?s).*\\s%d0.*")) {
            return bits -> Double.isNaN(Double.longBitsToDouble(bits)) ? 0x7ff8000000000000L : bits;
        }
        return bits -> bits;
    }
}
