package jdiffusion.emulator.exec;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.ptx.Instruction;

/**
 * What a {@code wgmma.mma_async} computes, and where its operands are. Of the 64 rows of the product, each of the four
 * warps has 16. Lane 4g + t of a warp holds of the sums the rows g and g + 8, of each 8 columns the columns 2t and 2t +
 * 1; of A the same rows, and of each four registers' worth of k that of its t.
 *
 * @param n           columns
 * @param a           type of A, one of the types of {@link WarpgroupMatrix}
 * @param b           type of B
 * @param sums        type of the sums: F32, F16 or S32
 * @param d           slots of the sums
 * @param fragment    slots of A; empty when A lies in shared memory
 * @param aDescriptor slot of the descriptor of A, or -1
 * @param bDescriptor slot of the descriptor of B
 * @param scale       predicate of whether to add to what the sums were
 * @param negated     whether that predicate is negated
 * @param negative    whether to negate the product: A or B is negated, but not both
 * @param acrossA     whether rows of A run fastest in shared memory, and not k
 * @param acrossB     whether columns of B run fastest in shared memory, and not k
 * @param saturated   whether sums of integers stay at the ends of their range
 */
record WarpgroupProduct(int n, WarpgroupMatrix.Element a, WarpgroupMatrix.Element b, Sums sums, int[] d, int[] fragment,
        int aDescriptor, int bDescriptor, int scale, boolean negated, boolean negative, boolean acrossA,
        boolean acrossB, boolean saturated) {
    /** Rows of a warp's part. */
    static final int ROWS = 16;
    private static final int MOST_COLUMNS = 256;
    private static final Pattern SHAPE = Pattern.compile("m64n(\\d+)k(\\d+)");

    /** Types of sums. */
    enum Sums { F32, F16, S32 }

    /** Shape and types that an instruction's modifiers name; the other parts are not filled. */
    static WarpgroupProduct of(Instruction instruction) {
        List<String> m = instruction.modifiers();
        Matcher shape = m.stream().map(SHAPE::matcher).filter(Matcher::matches).findFirst()
                .orElseThrow(WarpgroupProduct::unsupported);
        int types = m.indexOf(shape.group()) + (instruction.has("satfinite") ? 2 : 1);
        if (types + 3 != m.size() || instruction.has("sp")) {
            throw unsupported();
        }
        Sums sums = switch (m.get(types)) {
            case "f32" -> Sums.F32;
            case "f16" -> Sums.F16;
            case "s32" -> Sums.S32;
            default -> throw unsupported();
        };
        WarpgroupMatrix.Element a = WarpgroupMatrix.Element.of(m.get(types + 1));
        WarpgroupMatrix.Element b = WarpgroupMatrix.Element.of(m.get(types + 2));
        int n = Integer.parseInt(shape.group(1));
        boolean sizes = n % 8 == 0 && n >= 8 && n <= MOST_COLUMNS && Integer.parseInt(shape.group(2)) == a.depth();
        boolean kinds = a.isInteger() == b.isInteger() && a.isInteger() == (sums == Sums.S32) && a.bytes() == b.bytes()
                && (a.bytes() == 1 || a == b) && (sums != Sums.F16 || a.hasHalfSums());
        if (!sizes || !kinds) {
            throw unsupported();
        }
        return new WarpgroupProduct(n, a, b, sums, null, null, -1, -1, -1, false, false, false, false,
                instruction.has("satfinite"));
    }

    static IllegalArgumentException unsupported() {
        return new IllegalArgumentException("this instruction is not supported");
    }

    /** Registers that hold a lane's sums. */
    int sumRegisters() {
        return sums == Sums.F16 ? n / 4 : n / 2;
    }

    /** Operations of one warp's part, a multiply-add counting two. */
    int flops() {
        return 2 * ROWS * n * a.depth();
    }
}
