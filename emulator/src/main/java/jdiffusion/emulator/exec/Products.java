package jdiffusion.emulator.exec;

import java.util.List;
import jdiffusion.emulator.exec.Fragments.Element;
import jdiffusion.emulator.ptx.Instruction;

/**
 * {@code mma.m16n8kK} of tf32 with sums in float32, k ascending, and of integers of 8 bits with exact sums. Lane 4g + t
 * holds of A rows g and g + 8, of B column g, of C and D rows g and g + 8, columns 2t and 2t + 1; of each 4 registers'
 * worth of k it holds those of its t.
 *
 * @param depth     K
 * @param saturated whether sums stay at the ends of their range
 */
record Products(int depth, Element a, Element b, boolean saturated) {
    private static final int ROWS = 16;
    private static final int COLUMNS = 8;
    private static final Element[] ELEMENTS = Element.values();

    /** @throws IllegalArgumentException when it is not supported */
    static Products of(Instruction instruction) {
        List<String> m = instruction.modifiers();
        List<Element> types = m.stream().map(Fragments::element).filter(e -> e != null).toList();
        if (types.size() == 4 && m.contains("row") && m.contains("col")) {
            boolean saturated = m.contains("satfinite");
            if (types.equals(List.of(Element.F32, Element.TF32, Element.TF32, Element.F32)) && !saturated) {
                return sized(m, List.of(4, 8), Element.TF32, Element.TF32, false);
            }
            boolean bytes = types.subList(1, 3).stream().allMatch(e -> e == Element.S8 || e == Element.U8);
            if (bytes && types.getFirst() == Element.S32 && types.getLast() == Element.S32) {
                return sized(m, List.of(16, 32), types.get(1), types.get(2), saturated);
            }
        }
        throw unsupported();
    }

    private static Products sized(List<String> modifiers, List<Integer> depths, Element a, Element b,
            boolean saturated) {
        for (int depth : depths) {
            if (modifiers.contains("m16n8k" + depth)) {
                return new Products(depth, a, b, saturated);
            }
        }
        throw unsupported();
    }

    private static IllegalArgumentException unsupported() {
        return new IllegalArgumentException("this instruction is not supported");
    }

    int registersA() {
        return 2 * registersB();
    }

    int registersB() {
        return depth / (4 * a.perRegister());
    }

    int encoded() {
        return depth | a.ordinal() << 8 | b.ordinal() << 12 | (saturated ? 1 : 0) << 16;
    }

    private static Products decoded(int bits) {
        return new Products(bits & 255, ELEMENTS[bits >> 8 & 15], ELEMENTS[bits >> 12 & 15], bits >> 16 != 0);
    }

    /** Slots are those of A, B, C and D, one after the other. */
    static void multiply(Warp w, int mask, int site, int encoded, int[] slots) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        Products products = decoded(encoded);
        double[] a = products.unpack(w, slots, 0, products.registersA(), 2, ROWS, products.a);
        double[] b = products.unpack(w, slots, products.registersA(), products.registersB(), 1, COLUMNS, products.b);
        int first = products.registersA() + products.registersB();
        int[] results = new int[4 * Layout.LANES];
        for (int i = 0; i < results.length; i++) {
            int lane = i % Layout.LANES;
            int register = i / Layout.LANES;
            int row = (lane >> 2) + 8 * (register >> 1);
            int column = 2 * (lane & 3) + (register & 1);
            results[i] = products.element(a, b, row, column, w.r[slots[first + register] + lane]);
        }
        for (int i = 0; i < results.length; i++) {
            if ((mask >>> i % Layout.LANES & 1) != 0) {
                w.r[slots[first + 4 + i / Layout.LANES] + i % Layout.LANES] = results[i];
            }
        }
    }

    private int element(double[] a, double[] b, int row, int column, int c) {
        if (this.a == Element.TF32) {
            float sum = Float.intBitsToFloat(c);
            for (int k = 0; k < depth; k++) {
                sum = Math.fma((float) a[row * depth + k], (float) b[column * depth + k], sum);
            }
            return Float.floatToRawIntBits(sum);
        }
        long sum = c;
        for (int k = 0; k < depth; k++) {
            sum += (long) (a[row * depth + k] * b[column * depth + k]);
        }
        return saturated ? Math.clamp(sum, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) sum;
    }

    /** Rows of A, or columns of B, each with its k one after the other. */
    private double[] unpack(Warp w, int[] slots, int first, int count, int halves, int rows, Element type) {
        double[] values = new double[rows * depth];
        int per = type.perRegister();
        for (int register = 0; register < count; register++) {
            for (int lane = 0; lane < Layout.LANES; lane++) {
                int row = (lane >> 2) + 8 * (register % halves);
                int k = register / halves * 4 * per + (lane & 3) * per;
                int bits = w.r[slots[first + register] + lane];
                for (int i = 0; i < per; i++) {
                    values[row * depth + k + i] = type.value(bits >>> 8 * type.bytes() * i);
                }
            }
        }
        return values;
    }
}
