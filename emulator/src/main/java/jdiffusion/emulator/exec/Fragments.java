package jdiffusion.emulator.exec;

import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.ptx.Instruction;

/**
 * {@code wmma}: matrices of a whole warp. Which lane holds which element is up to the device; here registers hold the
 * elements row by row, 32 lanes side by side, and once more from the start where a fragment has more registers than it
 * needs, as on NVIDIA's cards.
 */
final class Fragments {

    /** Which of the matrices an instruction loads or stores. */
    private static final int A = 0;
    private static final int B = 1;
    private static final int C = 2;

    /**
     * What the modifiers say.
     *
     * @param operand of a load or store: A, B, or C for the accumulators
     * @param k       in elements
     * @param column  of a load or store: whether columns lie one after the other in memory
     * @param ab      type of the factors; of a load or store that of its elements
     * @param c       type of the summands
     * @param d       type of the result
     * @param saturated of a product: whether sums of integers stay at the ends of their range
     * @param and       of a product of bits: whether those of their AND are counted, and not of their XOR
     */
    record Shape(int m, int n, int k, int operand, boolean column, Element ab, Element c, Element d, boolean saturated,
            boolean and) {
        private static final Pattern SIZE = Pattern.compile("m(\\d+)n(\\d+)k(\\d+)");
        private static final List<Shape> ALL = new CopyOnWriteArrayList<>();

        /** @throws IllegalArgumentException when it is not supported */
        static Shape of(Instruction instruction) {
            List<String> modifiers = instruction.modifiers();
            Matcher size = SIZE.matcher(String.join(".", modifiers));
            List<Element> types = modifiers.stream().map(Element::of).filter(e -> e != null).toList();
            if (!size.find() || types.isEmpty()) {
                throw new IllegalArgumentException("this instruction is not supported");
            }
            int operand = instruction.has("a") ? A : instruction.has("b") ? B : C;
            // Half-precision products name the types of result and summands only.
            Element ab = !instruction.has("mma") ? types.getFirst() : types.size() == 4 ? types.get(1) : Element.F16;
            boolean column = instruction.has("col");
            if (operand == B && isTurned(ab)) {
                column = !column;
            }
            if (column && isTurned(ab) && !instruction.has("mma")) {
                throw new IllegalArgumentException("elements of less than a byte lie side by side along k");
            }
            return new Shape(Integer.parseInt(size.group(1)), Integer.parseInt(size.group(2)),
                    Integer.parseInt(size.group(3)) / ab.depth(), operand, column, ab, types.getLast(),
                    types.getFirst(), instruction.has("satfinite"), instruction.has("and"));
        }

        /** Whether registers hold B column by column: of less than a byte, which lie so in memory, too. */
        private static boolean isTurned(Element type) {
            return type.perRegister() == 8 || type == Element.B1;
        }

        int flops() {
            return 2 * m * n * k * ab.depth();
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

        int rows() {
            return operand != B ? m : isTurned(ab) ? n : k;
        }

        int columns() {
            return operand == A || operand == B && isTurned(ab) ? k : n;
        }

        /** Where of B the element of a column is. */
        int placeOfB(int row, int column) {
            return isTurned(ab) ? column * k + row : row * n + column;
        }
    }

    private Fragments() {}

    static void load(Warp w, int mask, int site, int shape, int stride, int space, int[] slots) {
        move(w, mask, site, Shape.ALL.get(shape), stride, space, slots, false);
    }

    static void store(Warp w, int mask, int site, int shape, int stride, int space, int[] slots) {
        move(w, mask, site, Shape.ALL.get(shape), stride, space, slots, true);
    }

    private static void move(Warp w, int mask, int site, Shape shape, int stride, int space, int[] slots,
            boolean store) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        boolean shared = space == 1
                || space == 2 && GenericMemory.inside(w, mask, GenericMemory.SHARED) != 0;
        long[] base = w.address.clone();
        Element type = shape.ab();
        int count = shape.rows() * shape.columns();
        int per = type.perRegister();
        boolean together = !shape.column() && per > 1;
        int parts = together ? 1 : per;
        int needed = Math.min(slots.length, Math.ceilDiv(count, Layout.LANES * per));
        for (int j = 0; j < needed; j++) {
            for (int part = 0; part < parts; part++) {
                int lanes = mask;
                for (int l = 0; l < Layout.LANES; l++) {
                    int index = (j * Layout.LANES + l) * per + part;
                    int row = index / shape.columns();
                    int column = index % shape.columns();
                    long pitch = stride >= 0 ? w.r[stride + l] / type.depth()
                            : shape.column() ? shape.rows() : shape.columns();
                    long at = shape.column() ? column * pitch + row : row * pitch + column;
                    w.address[l] = base[l] + at * type.bits() / Byte.SIZE;
                    lanes &= index < count ? -1 : ~(1 << l);
                }
                int bytes = together ? 4 : type.bits() / Byte.SIZE;
                int again = 0;
                if (shared) {
                    again = SharedMemory.check(w, lanes, site, bytes, store);
                } else {
                    GlobalMemory.check(w, lanes, site, bytes, store);
                }
                for (int l = 0; l < Layout.LANES; l++) {
                    if ((lanes >>> l & 1) == 0) {
                        continue;
                    }
                    boolean alike = store && (again >>> l & 1) != 0;
                    long before = alike ? word(w, l, bytes) : 0;
                    if (type == Element.F64) {
                        exchange(w, l, slots[j] + l, shared, store);
                    } else {
                        exchange(w, l, slots[j] + l, type.bits() * part, bytes, shared, store);
                    }
                    if (alike && before != word(w, l, bytes)) {
                        throw w.block.checker().differing(l);
                    }
                }
            }
        }
        for (int j = needed; j < slots.length && !store && type != Element.F64; j++) {
            for (int l = 0; l < Layout.LANES; l++) {
                w.r[slots[j] + l] = w.r[slots[j % needed] + l];
            }
        }
    }

    /** What shared memory holds where a lane stores. */
    private static long word(Warp w, int lane, int bytes) {
        int[] words = w.block.shared().words;
        int at = (int) (w.address[lane] >> 2);
        return bytes == Double.BYTES ? Words.word64(words, at) : words[at];
    }

    /** A double. */
    private static void exchange(Warp w, int lane, int slot, boolean shared, boolean store) {
        long at = w.address[lane];
        int[] words = w.block.shared().words;
        if (shared && store) {
            Words.word64(words, (int) (at >> 2), w.q[slot]);
        } else if (shared) {
            w.q[slot] = Words.word64(words, (int) (at >> 2));
        } else if (store) {
            GlobalMemory.all().set(ValueLayout.JAVA_LONG_UNALIGNED, at, w.q[slot]);
        } else {
            w.q[slot] = GlobalMemory.all().get(ValueLayout.JAVA_LONG_UNALIGNED, at);
        }
    }

    private static void exchange(Warp w, int lane, int slot, int shift, int bytes, boolean shared, boolean store) {
        long at = w.address[lane];
        int all = bytes == 4 ? -1 : (1 << 8 * bytes) - 1;
        int[] words = w.block.shared().words;
        int inWord = 8 * (int) (at & 3);
        if (store) {
            int bits = w.r[slot] >>> shift & all;
            if (shared) {
                words[(int) (at >> 2)] = words[(int) (at >> 2)] & ~(all << inWord) | bits << inWord;
            } else {
                switch (bytes) {
                    case 1 -> GlobalMemory.all().set(ValueLayout.JAVA_BYTE, at, (byte) bits);
                    case 2 -> GlobalMemory.all().set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) bits);
                    default -> GlobalMemory.all().set(ValueLayout.JAVA_INT_UNALIGNED, at, bits);
                }
            }
            return;
        }
        int bits = shared ? words[(int) (at >> 2)] >>> inWord & all : switch (bytes) {
            case 1 -> GlobalMemory.all().get(ValueLayout.JAVA_BYTE, at) & all;
            case 2 -> GlobalMemory.all().get(ValueLayout.JAVA_SHORT_UNALIGNED, at) & all;
            default -> GlobalMemory.all().get(ValueLayout.JAVA_INT_UNALIGNED, at);
        };
        w.r[slot] = w.r[slot] & ~(all << shift) | bits << shift;
    }

    /** Slots are those of A, B, C and D, one after the other; float products are summed in float32, k ascending. */
    static void multiply(Warp w, int mask, int site, int number, int stride, int space, int[] slots) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        Shape shape = Shape.ALL.get(number);
        int registersC = registers(shape.m() * shape.n(), shape.c());
        int registersD = registers(shape.m() * shape.n(), shape.d());
        int factors = slots.length - registersC - registersD;
        // A and B may have registers that repeat; how many is the PTX's business, and their sum is known.
        int leastA = registers(shape.m() * shape.k(), shape.ab());
        int leastB = registers(shape.k() * shape.n(), shape.ab());
        int registersA = shape.ab() == Element.F16 ? factors / 2 : leastA;
        if (registersA < leastA || factors - registersA < leastB) {
            throw new IllegalStateException("wmma with " + slots.length + " registers");
        }
        double[] a = unpack(w, slots, 0, shape.m() * shape.k(), shape.ab());
        double[] b = unpack(w, slots, registersA, shape.k() * shape.n(), shape.ab());
        double[] c = unpack(w, slots, factors, shape.m() * shape.n(), shape.c());
        for (int row = 0; row < shape.m(); row++) {
            for (int column = 0; column < shape.n(); column++) {
                int at = row * shape.n() + column;
                float sum = (float) c[at];
                double wide = c[at];
                long exact = (long) c[at];
                for (int k = 0; k < shape.k(); k++) {
                    double x = a[row * shape.k() + k];
                    double y = b[shape.placeOfB(k, column)];
                    switch (shape.ab()) {
                        case F64 -> wide = Math.fma(x, y, wide);
                        case B1 -> exact += Integer.bitCount(shape.and() ? (int) x & (int) y : (int) x ^ (int) y);
                        case S8, U8, S4, U4 -> exact += (long) (x * y);
                        default -> sum = Math.fma((float) x, (float) y, sum);
                    }
                }
                int slot = slots[factors + registersC + at / shape.d().perRegister() / Layout.LANES];
                switch (shape.d()) {
                    case F64 -> w.q[slot + at % Layout.LANES] = Double.doubleToRawLongBits(wide);
                    case S32 -> w.r[slot + at % Layout.LANES] = shape.saturated()
                            ? Math.clamp(exact, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) exact;
                    case F16 -> put(w, slot, at, Float.floatToFloat16(sum) & 0xffff);
                    default -> w.r[slot + at % Layout.LANES] = Float.floatToRawIntBits(sum);
                }
            }
        }
    }

    private static int registers(int elements, Element type) {
        return Math.ceilDiv(elements, Layout.LANES * type.perRegister());
    }

    private static double[] unpack(Warp w, int[] slots, int first, int count, Element type) {
        double[] values = new double[count];
        int per = type.perRegister();
        for (int i = 0; i < count; i++) {
            int unit = i / per;
            int slot = slots[first + unit / Layout.LANES] + unit % Layout.LANES;
            values[i] = type == Element.F64 ? Double.longBitsToDouble(w.q[slot])
                    : type.value(w.r[slot] >>> type.bits() * (i % per));
        }
        return values;
    }

    /** A half of a register. */
    private static void put(Warp w, int slot, int index, int bits) {
        int at = slot + index / 2 % Layout.LANES;
        int shift = 16 * (index & 1);
        w.r[at] = w.r[at] & ~(0xffff << shift) | bits << shift;
    }
}
