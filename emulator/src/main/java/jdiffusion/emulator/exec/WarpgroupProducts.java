package jdiffusion.emulator.exec;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.exec.WarpgroupProduct.Sums;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The products of warpgroups ({@code wgmma}) that a warp has issued: its part of each, 16 rows. The float products are
 * summed in float32, k ascending; sums of integers are exact. Products of a warp are made in their order, each at some
 * time between its issue and the wait for its group: the seed decides. A wait of one warp is for the parts of all four:
 * who goes on after it may let the factors be overwritten.
 */
final class WarpgroupProducts {
    private static final int WARPS = 4;
    private static final int PIECE = 16;
    private static final VectorSpecies<Float> COLUMNS = FloatVector.SPECIES_256;

    /** A product that was issued. */
    private static final class Issued {
        final WarpgroupProduct product;
        final int site;
        final long a;
        final long b;
        final boolean adds;
        final int group;
        final int number;
        boolean made;
        /** While it may read shared memory; only where that is checked. */
        AsyncChecker.Reading reading;

        Issued(WarpgroupProduct product, int site, long a, long b, boolean adds, int group, int number) {
            this.product = product;
            this.site = site;
            this.a = a;
            this.b = b;
            this.adds = adds;
            this.group = group;
            this.number = number;
        }

        WarpgroupMatrix matrixA() {
            return new WarpgroupMatrix(a, product.a(), product.acrossA());
        }

        WarpgroupMatrix matrixB() {
            return new WarpgroupMatrix(b, product.b(), product.acrossB());
        }
    }

    private final Warp warp;
    /** Null where nothing is checked. */
    private final RegisterCheck registers;
    /** Those that this warp has not waited for. */
    private final Deque<Issued> outstanding = new ArrayDeque<>();
    private final float[] a = new float[WarpgroupProduct.ROWS * 32];
    private final float[] b = new float[256 * 32];
    private final float[] sums = new float[WarpgroupProduct.ROWS * 256];
    private final int[] wholeSums = new int[WarpgroupProduct.ROWS * 256];
    private int group;
    private int issued;

    WarpgroupProducts(Warp warp) {
        this.warp = warp;
        this.registers = warp.block.checker() == null ? null : new RegisterCheck(warp);
    }

    /** What is known of the registers; null where nothing is checked. */
    RegisterCheck registers() {
        return registers;
    }

    /** A new block starts. */
    void reset() {
        outstanding.clear();
        group = 0;
        issued = 0;
        if (registers != null) {
            registers.reset();
        }
    }

    /** {@code number} is that of the product in the kernel. */
    static void issue(Warp w, int mask, int site, int number) {
        w.checkWhole(mask, site);
        WarpgroupProduct product = w.kernel.products().get(number);
        WarpgroupProducts products = w.products;
        boolean adds = (w.p[product.scale()] & 1) != 0 != product.negated();
        long a = product.aDescriptor() < 0 ? 0 : w.q[product.aDescriptor()];
        var made = new Issued(product, site, a, w.q[product.bDescriptor()], adds, products.group, products.issued++);
        products.check(made);
        products.outstanding.add(made);
        w.block.happened();
        if (w.block.random().nextInt(4) == 0) {
            products.make(Integer.MAX_VALUE);
        }
    }

    static void fence(Warp w, int mask, int site) {
        w.checkWhole(mask, site);
        if (w.products != null && w.products.registers != null) {
            w.products.registers.fence();
        }
    }

    static void commit(Warp w, int mask, int site) {
        w.checkWhole(mask, site);
        if (w.products != null) {
            w.products.group++;
        }
    }

    /**
     * Waits for all groups but the last {@code pending}.
     *
     * @return the block where the warp goes on: {@code next}, or {@code again} when other warps of its group are not
     *         there
     */
    static int await(Warp w, int mask, int site, int pending, int again, int next) {
        w.checkWhole(mask, site);
        if (w.products == null) {
            return next;
        }
        WarpgroupProducts own = w.products;
        int before = 0;
        for (Issued one : own.outstanding) {
            before = one.group < own.group - pending ? one.number + 1 : before;
        }
        int first = w.index / WARPS * WARPS;
        for (int i = first; i < first + WARPS && before > 0; i++) {
            int other = i;
            if (w.block.warps()[i].products.issued < before) {
                w.stall(site, 0, () -> "it waits for the product of its warpgroup that warp %d has not issued"
                        .formatted(other));
                w.yield();
                return again;
            }
        }
        for (int i = first; i < first + WARPS && before > 0; i++) {
            w.block.warps()[i].products.make(before);
        }
        while (!own.outstanding.isEmpty() && own.outstanding.getFirst().number < before) {
            own.outstanding.removeFirst();
        }
        if (own.registers != null) {
            own.registers.ended(own.outstanding.stream().map(one -> one.product).toList());
        }
        if (before > 0) {
            w.block.happened();
        }
        return next;
    }

    private int firstRow() {
        return warp.index % WARPS * WarpgroupProduct.ROWS;
    }

    private void check(Issued one) {
        int first = warp.index / WARPS * WARPS;
        if (first + WARPS > warp.block.warps().length) {
            throw warp.block.fault(Kind.DIVERGENT_BARRIER, one.site, warp, 0, "the block has no four warps from %d on"
                    .formatted(first));
        }
        boolean inMemory = one.product.aDescriptor() >= 0;
        if (inMemory) {
            one.matrixA().check(warp, one.site, "A", firstRow(), WarpgroupProduct.ROWS);
        }
        one.matrixB().check(warp, one.site, "B", 0, one.product.n());
        if (registers == null) {
            return;
        }
        for (int i = first; i < first + WARPS; i++) {
            Warp other = warp.block.warps()[i];
            for (Issued same : other.products.outstanding) {
                if (same.number == one.number && (same.site != one.site || same.a != one.a || same.b != one.b)) {
                    throw warp.block.fault(Kind.DIVERGENT_BARRIER, one.site, warp, 0, ("with descriptors 0x%x and 0x%x,"
                            + " where warp %d of its group has line %d with 0x%x and 0x%x").formatted(one.a, one.b,
                            i, warp.kernel.sites().get(same.site).line(), same.a, same.b));
                }
            }
        }
        registers.issue(one.product, one.site);
        int ofA = inMemory ? one.matrixA().chunks(WarpgroupProduct.ROWS) : 0;
        int[] pieces = new int[ofA + one.matrixB().chunks(one.product.n())];
        for (int i = 0; i < pieces.length; i++) {
            pieces[i] = i < ofA ? one.matrixA().address(i, firstRow(), WarpgroupProduct.ROWS)
                    : one.matrixB().address(i - ofA, 0, one.product.n());
        }
        one.reading = warp.block.checker().async().begin(warp, 0, one.site, pieces, PIECE);
    }

    /** Makes the products with smaller numbers; they are waited for unless that is all of them. */
    private void make(int before) {
        for (Issued one : outstanding) {
            if (one.number >= before) {
                break;
            }
            if (!one.made) {
                multiply(one);
                one.made = true;
            }
            if (one.reading != null && before != Integer.MAX_VALUE) {
                warp.block.checker().async().end(one.reading);
                one.reading = null;
            }
        }
    }

    private void multiply(Issued one) {
        WarpgroupProduct product = one.product;
        int[] words = warp.block.shared().words;
        int depth = product.a().depth();
        if (product.aDescriptor() >= 0) {
            one.matrixA().read(words, firstRow(), WarpgroupProduct.ROWS, a, depth, 1);
        } else {
            unpack(product, depth);
        }
        one.matrixB().read(words, 0, product.n(), b, 1, product.n());
        if (product.sums() == Sums.S32) {
            sumWhole(product, depth, one.adds);
        } else {
            sum(product, depth, one.adds);
        }
    }

    /** A from registers. */
    private void unpack(WarpgroupProduct product, int depth) {
        int per = 4 / product.a().bytes();
        int bits = 8 * product.a().bytes();
        for (int register = 0; register < 4; register++) {
            int slot = product.fragment()[register];
            for (int lane = 0; lane < Layout.LANES; lane++) {
                int at = ((lane >> 2) + 8 * (register & 1)) * depth + (register >> 1) * 4 * per + (lane & 3) * per;
                for (int i = 0; i < per; i++) {
                    a[at + i] = product.a().value(warp.r[slot + lane] >>> bits * i);
                }
            }
        }
    }

    private void sum(WarpgroupProduct product, int depth, boolean adds) {
        int n = product.n();
        boolean half = product.sums() == Sums.F16;
        if (adds) {
            fetch(product, half);
        } else {
            Arrays.fill(sums, 0, WarpgroupProduct.ROWS * n, 0);
        }
        for (int i = 0; i < WarpgroupProduct.ROWS * depth && product.negative(); i++) {
            a[i] = -a[i];
        }
        for (int row = 0; row < WarpgroupProduct.ROWS; row += 4) {
            for (int column = 0; column < n; column += COLUMNS.length()) {
                addTile(row, column, n, depth);
            }
        }
        put(product, half);
    }

    /** Adds to the sums of four rows and some columns; k ascends. */
    private void addTile(int row, int column, int n, int depth) {
        int at = row * n + column;
        FloatVector s0 = FloatVector.fromArray(COLUMNS, sums, at);
        FloatVector s1 = FloatVector.fromArray(COLUMNS, sums, at + n);
        FloatVector s2 = FloatVector.fromArray(COLUMNS, sums, at + 2 * n);
        FloatVector s3 = FloatVector.fromArray(COLUMNS, sums, at + 3 * n);
        for (int k = 0; k < depth; k++) {
            FloatVector y = FloatVector.fromArray(COLUMNS, b, k * n + column);
            int factor = row * depth + k;
            s0 = y.fma(FloatVector.broadcast(COLUMNS, a[factor]), s0);
            s1 = y.fma(FloatVector.broadcast(COLUMNS, a[factor + depth]), s1);
            s2 = y.fma(FloatVector.broadcast(COLUMNS, a[factor + 2 * depth]), s2);
            s3 = y.fma(FloatVector.broadcast(COLUMNS, a[factor + 3 * depth]), s3);
        }
        s0.intoArray(sums, at);
        s1.intoArray(sums, at + n);
        s2.intoArray(sums, at + 2 * n);
        s3.intoArray(sums, at + 3 * n);
    }

    private static int place(WarpgroupProduct product, int register, int lane) {
        return ((lane >> 2) + 8 * (register >> 1 & 1)) * product.n() + 8 * (register >> 2) + 2 * (lane & 3)
                + (register & 1);
    }

    private void fetch(WarpgroupProduct product, boolean half) {
        for (int register = 0; register < product.n() / 2; register++) {
            int slot = product.d()[half ? register >> 1 : register];
            for (int row = 0; row < Layout.LANES; row += 4) {
                int at = place(product, register, row);
                for (int lane = row; lane < row + 4; lane++, at += 2) {
                    int bits = warp.r[slot + lane];
                    sums[at] = !half ? Float.intBitsToFloat(bits)
                            : Float.float16ToFloat((short) (bits >>> 16 * (register & 1)));
                }
            }
        }
    }

    private void put(WarpgroupProduct product, boolean half) {
        for (int register = 0; register < product.n() / 2; register += half ? 2 : 1) {
            int slot = product.d()[half ? register >> 1 : register];
            for (int row = 0; row < Layout.LANES; row += 4) {
                int at = place(product, register, row);
                for (int lane = row; lane < row + 4; lane++, at += 2) {
                    warp.r[slot + lane] = half ? Conversions.packF16(sums[at + 1], sums[at], Rounding.RN)
                            : Float.floatToRawIntBits(sums[at]);
                }
            }
        }
    }

    private void sumWhole(WarpgroupProduct product, int depth, boolean adds) {
        int n = product.n();
        for (int register = 0; register < n / 2; register++) {
            for (int lane = 0; lane < Layout.LANES; lane++) {
                int at = place(product, register, lane);
                int row = at / n;
                long sum = adds ? warp.r[product.d()[register] + lane] : 0;
                for (int k = 0; k < depth; k++) {
                    sum += (long) (int) a[row * depth + k] * (int) b[k * n + at % n];
                }
                wholeSums[at] = product.saturated() ? Math.clamp(sum, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) sum;
            }
        }
        for (int register = 0; register < n / 2; register++) {
            for (int lane = 0; lane < Layout.LANES; lane++) {
                warp.r[product.d()[register] + lane] = wholeSums[place(product, register, lane)];
            }
        }
    }
}
