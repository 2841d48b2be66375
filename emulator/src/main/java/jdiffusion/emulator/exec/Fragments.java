package jdiffusion.emulator.exec;

import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.ptx.Instruction;

/**
 * {@code wmma}: matrices of a whole warp. Which lane holds which element is up to the device; here registers hold the
 * elements row by row, 32 lanes side by side, and once more from the start where a fragment has more registers than it
 * needs, as on NVIDIA's cards.
 */
final class Fragments {

    /** Types of elements, with the number of them in a 32-bit register. */
    enum Element {
        F16(2), BF16(2), TF32(1), S8(4), U8(4), F32(1), S32(1);

        private final int perRegister;

        Element(int perRegister) {
            this.perRegister = perRegister;
        }

        int perRegister() {
            return perRegister;
        }

        int bytes() {
            return 4 / perRegister;
        }

        /** The value of these bits, or of their lowest. */
        double value(int bits) {
            return switch (this) {
                case F16 -> Float.float16ToFloat((short) bits);
                case BF16 -> Float.intBitsToFloat(bits << 16);
                case TF32 -> Float.intBitsToFloat(bits & -1 << 13);
                case S8 -> (byte) bits;
                case U8 -> bits & 0xff;
                case F32 -> Float.intBitsToFloat(bits);
                case S32 -> bits;
            };
        }
    }

    /** Which of the matrices an instruction loads or stores. */
    private static final int A = 0;
    private static final int B = 1;
    private static final int C = 2;

    /**
     * What the modifiers say.
     *
     * @param operand of a load or store: A, B, or C for the accumulators
     * @param column  of a load or store: whether columns lie one after the other in memory
     * @param ab      type of the factors
     * @param c       type of the summands
     * @param d       type of the result
     */
    record Shape(int m, int n, int k, int operand, boolean column, Element ab, Element c, Element d) {
        private static final Pattern SIZE = Pattern.compile("m(\\d+)n(\\d+)k(\\d+)");

        /** @throws IllegalArgumentException when it is not supported */
        static Shape of(Instruction instruction) {
            List<String> modifiers = instruction.modifiers();
            Matcher size = SIZE.matcher(String.join(".", modifiers));
            List<Element> types = modifiers.stream().map(Fragments::element).filter(e -> e != null).toList();
            if (!size.find() || types.isEmpty()) {
                throw new IllegalArgumentException("this instruction is not supported");
            }
            int operand = instruction.has("a") ? A : instruction.has("b") ? B : C;
            boolean column = instruction.has("col");
            // Half-precision products name the types of result and summands only.
            Element ab = types.size() == 4 ? types.get(1) : Element.F16;
            if (!instruction.has("mma")) {
                ab = types.getFirst();
            }
            return new Shape(Integer.parseInt(size.group(1)), Integer.parseInt(size.group(2)),
                    Integer.parseInt(size.group(3)), operand, column, ab, types.getLast(), types.getFirst());
        }

        int flops() {
            return 2 * m * n * k;
        }

        int encoded() {
            return m | n << 6 | k << 12 | operand << 18 | (column ? 1 : 0) << 20 | ab.ordinal() << 21
                    | c.ordinal() << 24 | d.ordinal() << 27;
        }

        static Shape decoded(int bits) {
            return new Shape(bits & 63, bits >> 6 & 63, bits >> 12 & 63, bits >> 18 & 3, (bits >> 20 & 1) != 0,
                    ELEMENTS[bits >> 21 & 7], ELEMENTS[bits >> 24 & 7], ELEMENTS[bits >> 27 & 7]);
        }

        int rows() {
            return operand == B ? k : m;
        }

        int columns() {
            return operand == A ? k : n;
        }
    }

    private static final Element[] ELEMENTS = Element.values();

    private Fragments() {}

    static Element element(String modifier) {
        return switch (modifier) {
            case "f16" -> Element.F16;
            case "bf16" -> Element.BF16;
            case "tf32" -> Element.TF32;
            case "s8" -> Element.S8;
            case "u8" -> Element.U8;
            case "f32" -> Element.F32;
            case "s32" -> Element.S32;
            default -> null;
        };
    }

    static void load(Warp w, int mask, int site, int shape, int stride, int space, int[] slots) {
        move(w, mask, site, Shape.decoded(shape), stride, space, slots, false);
    }

    static void store(Warp w, int mask, int site, int shape, int stride, int space, int[] slots) {
        move(w, mask, site, Shape.decoded(shape), stride, space, slots, true);
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
        int per = type.perRegister;
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
                    long pitch = stride < 0 ? shape.column() ? shape.rows() : shape.columns() : w.r[stride + l];
                    long at = shape.column() ? column * pitch + row : row * pitch + column;
                    w.address[l] = base[l] + at * type.bytes();
                    lanes &= index < count ? -1 : ~(1 << l);
                }
                int bytes = together ? 4 : type.bytes();
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
                    int before = alike ? w.block.shared().words[(int) (w.address[l] >> 2)] : 0;
                    exchange(w, l, slots[j] + l, 8 * type.bytes() * part, bytes, shared, store);
                    if (alike && before != w.block.shared().words[(int) (w.address[l] >> 2)]) {
                        throw w.block.checker().differing(l);
                    }
                }
            }
        }
        for (int j = needed; j < slots.length && !store; j++) {
            for (int l = 0; l < Layout.LANES; l++) {
                w.r[slots[j] + l] = w.r[slots[j % needed] + l];
            }
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
    static void multiply(Warp w, int mask, int site, int encoded, int stride, int space, int[] slots) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        Shape shape = Shape.decoded(encoded);
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
        boolean whole = shape.d() == Element.S32;
        for (int row = 0; row < shape.m(); row++) {
            for (int column = 0; column < shape.n(); column++) {
                int at = row * shape.n() + column;
                float sum = (float) c[at];
                int exact = (int) c[at];
                for (int k = 0; k < shape.k(); k++) {
                    double x = a[row * shape.k() + k];
                    double y = b[k * shape.n() + column];
                    if (whole) {
                        exact += (int) (x * y);
                    } else {
                        sum = Math.fma((float) x, (float) y, sum);
                    }
                }
                put(w, slots, factors + registersC, at, shape.d(),
                        whole ? exact : shape.d() == Element.F16 ? Float.floatToFloat16(sum) & 0xffff
                                : Float.floatToRawIntBits(sum));
            }
        }
    }

    private static int registers(int elements, Element type) {
        return Math.ceilDiv(elements, Layout.LANES * type.perRegister);
    }

    private static double[] unpack(Warp w, int[] slots, int first, int count, Element type) {
        double[] values = new double[count];
        int per = type.perRegister;
        for (int i = 0; i < count; i++) {
            int unit = i / per;
            int bits = w.r[slots[first + unit / Layout.LANES] + unit % Layout.LANES] >>> 8 * type.bytes() * (i % per);
            values[i] = type.value(bits);
        }
        return values;
    }

    private static void put(Warp w, int[] slots, int first, int index, Element type, int bits) {
        int per = type.perRegister;
        int unit = index / per;
        int slot = slots[first + unit / Layout.LANES] + unit % Layout.LANES;
        int shift = 8 * type.bytes() * (index % per);
        int all = per == 1 ? -1 : (1 << 8 * type.bytes()) - 1;
        w.r[slot] = w.r[slot] & ~(all << shift) | (bits & all) << shift;
    }
}
