package jdiffusion.emulator.exec;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.ptx.Instruction;

/**
 * {@code mma.m16n8kK} and {@code mma.m8n8kK}, but for what {@link Matrix} has: sums of floats in their own precision, k
 * ascending, and exact sums of integers. Lane 4g + t holds of A rows g and g + 8, of B column g, of C and D rows g and
 * g + 8, columns 2t and 2t + 1; of each 4 registers' worth of k it holds those of its t.
 *
 * <p>Of a sparse A ({@code mma.sp}) the registers hold the elements that are kept, as if there were no others: two of
 * four, of tf32 one of two. The metadata say which, 4 bits for each group; see {@link SparseRows}.
 *
 * @param rows      of A: 8 or 16
 * @param depth     K, in elements
 * @param sums      type of C and D: F32, F16, S32 or F64
 * @param saturated whether sums of integers stay at the ends of their range
 * @param and       of bits, whether those of their AND are counted, and not of their XOR
 * @param selector  of a sparse A which lanes hold its metadata; -1 where A is not sparse
 */
record Products(int rows, int depth, Element a, Element b, Element sums, boolean saturated, boolean and, int selector) {
    private static final int COLUMNS = 8;
    private static final Pattern SIZE = Pattern.compile("m(\\d+)n8k(\\d+)");
    private static final List<String> DENSE = List.of("f32 tf32 m16 4 8", "s32 8 m8 16", "s32 8 m16 16 32",
            "s32 4 m8 32", "s32 4 m16 32 64", "s32 b1 m8 128", "s32 b1 m16 128 256", "f64 f64 m8 4",
            "f64 f64 m16 4 8 16", "f32 fp8 m16 16 32", "f16 fp8 m16 16 32");
    private static final List<String> SPARSE = List.of("f32 f16 m16 16 32", "f16 f16 m16 16 32", "f32 bf16 m16 16 32",
            "f32 tf32 m16 8 16", "s32 8 m16 32 64", "f32 fp8 m16 64");
    private static final List<Products> ALL = new CopyOnWriteArrayList<>();

    /** @throws IllegalArgumentException when there is no such instruction, or none here */
    static Products of(Instruction instruction) {
        List<String> m = instruction.modifiers();
        Matcher size = m.stream().map(SIZE::matcher).filter(Matcher::matches).findFirst()
                .orElseThrow(Products::unsupported);
        List<Element> types = m.stream().map(Element::of).filter(e -> e != null).toList();
        boolean sparse = m.contains("sp");
        if (types.size() != 4 || !m.contains("row") || !m.contains("col") || types.get(0) != types.get(3)
                || m.contains("satfinite") && types.get(0) != Element.S32) {
            throw unsupported();
        }
        Element a = types.get(1);
        Element b = types.get(2);
        int depth = Integer.parseInt(size.group(2));
        String kind = family(types.get(0)) + " " + family(a) + " m" + size.group(1) + " ";
        boolean exists = family(a).equals(family(b)) && (sparse ? SPARSE : DENSE).stream().anyMatch(known ->
                known.startsWith(kind) && List.of(known.substring(kind.length()).split(" ")).contains("" + depth));
        boolean and = m.contains("and");
        if (!exists || a == Element.B1 && (!m.contains("popc") || and == m.contains("xor"))) {
            throw unsupported();
        }
        return new Products(Integer.parseInt(size.group(1)), depth / a.depth(), a, b, types.get(0),
                m.contains("satfinite"), and, sparse ? 0 : -1);
    }

    private static String family(Element element) {
        return switch (element) {
            case S8, U8 -> "8";
            case S4, U4 -> "4";
            case E4M3, E5M2 -> "fp8";
            default -> element.name().toLowerCase(Locale.ROOT);
        };
    }

    /** The same with metadata in some of the lanes. */
    Products withSelector(int lanes) {
        if (lanes < 0 || lanes >= 4 / SparseRows.lanes(this)) {
            throw new IllegalArgumentException("the sparsity selector is %d; of this shape and type there are %d"
                    .formatted(lanes, 4 / SparseRows.lanes(this)));
        }
        return new Products(rows, depth, a, b, sums, saturated, and, lanes);
    }

    private static IllegalArgumentException unsupported() {
        return new IllegalArgumentException("this instruction is not supported");
    }

    boolean isSparse() {
        return selector >= 0;
    }

    boolean isWide() {
        return sums == Element.F64;
    }

    /** Elements of a row of A that registers hold. */
    int kept() {
        return isSparse() ? depth / 2 : depth;
    }

    /** Registers of a lane for A, B, C and D. */
    int[] registers() {
        int ofSums = rows * COLUMNS / Layout.LANES / sums.perRegister();
        return new int[] {rows * kept() / Layout.LANES / a.perRegister(),
            COLUMNS * depth / Layout.LANES / b.perRegister(), ofSums, ofSums};
    }

    /** Operations of a warp, a multiply-add counting two; of a sparse A those with elements that are kept. */
    int flops() {
        return 2 * rows * COLUMNS * kept() * a.depth();
    }

    /** A number for translated code. */
    int number() {
        synchronized (ALL) {
            if (!ALL.contains(this)) {
                ALL.add(this);
            }
            return ALL.indexOf(this);
        }
    }

    /** Slots are those of A, B, C and D, one after the other, and of the metadata. */
    static void multiply(Warp w, int mask, int site, int number, int[] slots) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        Products products = ALL.get(number);
        int[] registers = products.registers();
        int first = registers[0] + registers[1];
        double[] a = products.unpack(w, slots, 0, registers[0], products.rows, products.kept(), products.a);
        double[] b = products.unpack(w, slots, registers[0], registers[1], COLUMNS, products.depth, products.b);
        int[] places = products.isSparse() ? SparseRows.places(w, site, products, slots[slots.length - 1]) : null;
        int[] results = new int[registers[2] * Layout.LANES];
        long[] wide = new long[results.length];
        int per = products.sums.perRegister();
        for (int i = 0; i < results.length; i++) {
            int lane = i % Layout.LANES;
            int slot = slots[first + i / Layout.LANES] + lane;
            for (int part = 0; part < per; part++) {
                int element = i / Layout.LANES * per + part;
                int row = (lane >> 2) + 8 * (element >> 1);
                int column = 2 * (lane & 3) + (element & 1);
                if (products.isWide()) {
                    wide[i] = Double.doubleToRawLongBits(products.sum(a, b, row, column,
                            Double.longBitsToDouble(w.q[slot])));
                } else {
                    results[i] |= products.element(a, b, places, row, column, w.r[slot] >>> 16 * part) << 16 * part;
                }
            }
        }
        for (int i = 0; i < results.length; i++) {
            if ((mask >>> i % Layout.LANES & 1) == 0) {
                continue;
            }
            int slot = slots[first + registers[2] + i / Layout.LANES] + i % Layout.LANES;
            if (products.isWide()) {
                w.q[slot] = wide[i];
            } else {
                w.r[slot] = results[i];
            }
        }
    }

    private double sum(double[] a, double[] b, int row, int column, double c) {
        double sum = c;
        for (int k = 0; k < depth; k++) {
            sum = Math.fma(a[row * depth + k], b[column * depth + k], sum);
        }
        return sum;
    }

    /** The bits of a sum; {@code c} are those of C, or the lowest. */
    private int element(double[] a, double[] b, int[] places, int row, int column, int c) {
        int kept = kept();
        if (sums != Element.S32) {
            float sum = (float) sums.value(c);
            for (int i = row * kept; i < (row + 1) * kept; i++) {
                int k = places == null ? i - row * kept : places[i];
                sum = Math.fma((float) a[i], (float) b[column * depth + k], sum);
            }
            return sums == Element.F16 ? Float.floatToFloat16(sum) & 0xffff : Float.floatToRawIntBits(sum);
        }
        long sum = c;
        for (int i = row * kept; i < (row + 1) * kept; i++) {
            double x = a[i];
            double y = b[column * depth + (places == null ? i - row * kept : places[i])];
            sum += this.a != Element.B1 ? (long) (x * y)
                    : Integer.bitCount(and ? (int) x & (int) y : (int) x ^ (int) y);
        }
        return saturated ? Math.clamp(sum, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) sum;
    }

    /** Rows of A, or columns of B, each with its k one after the other. */
    private double[] unpack(Warp w, int[] slots, int first, int count, int rows, int depth, Element type) {
        double[] values = new double[rows * depth];
        int per = type.perRegister();
        int halves = rows / 8;
        for (int register = 0; register < count; register++) {
            for (int lane = 0; lane < Layout.LANES; lane++) {
                int row = (lane >> 2) + 8 * (register % halves);
                int k = register / halves * 4 * per + (lane & 3) * per;
                int slot = slots[first + register] + lane;
                if (type == Element.F64) {
                    values[row * depth + k] = Double.longBitsToDouble(w.q[slot]);
                    continue;
                }
                for (int i = 0; i < per; i++) {
                    values[row * depth + k + i] = type.value(w.r[slot] >>> type.bits() * i);
                }
            }
        }
        return values;
    }
}
