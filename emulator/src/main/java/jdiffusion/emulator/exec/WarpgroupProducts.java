package jdiffusion.emulator.exec;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * The products of warpgroups ({@code wgmma}) that a warp has issued: its part of each, 16 rows. The float products are
 * summed in float32, k ascending; sums of integers are exact. Products of a warp are made in their order, each at some
 * time between its issue and the wait for its group: the seed decides.
 */
final class WarpgroupProducts {
    private static final int WARPS = 4;

    /** A product that was issued. */
    private record Issued(WarpgroupProduct product, int site, long a, long b, boolean adds, int group) {}

    private final Warp warp;
    private final Deque<Issued> outstanding = new ArrayDeque<>();
    private final float[] a = new float[WarpgroupProduct.ROWS * 32];
    private final float[] b = new float[256 * 32];
    private final float[] sums = new float[WarpgroupProduct.ROWS * 256];
    private final int[] wholeSums = new int[WarpgroupProduct.ROWS * 256];
    private int group;

    WarpgroupProducts(Warp warp) {
        this.warp = warp;
    }

    /** A new block starts. */
    void reset() {
        outstanding.clear();
        group = 0;
    }

    /** {@code number} is that of the product in the kernel. */
    static void issue(Warp w, int mask, int site, int number) {
        check(w, mask, site);
        WarpgroupProduct product = w.kernel.products().get(number);
        WarpgroupProducts products = w.products;
        boolean adds = (w.p[product.scale()] & 1) != 0 != product.negated();
        long a = product.aDescriptor() < 0 ? 0 : w.q[product.aDescriptor()];
        var issued = new Issued(product, site, a, w.q[product.bDescriptor()], adds, products.group);
        products.checkMatrices(issued);
        products.outstanding.add(issued);
        if (w.block.random().nextInt(4) == 0) {
            products.make(Integer.MAX_VALUE);
        }
    }

    static void fence(Warp w, int mask, int site) {
        check(w, mask, site);
    }

    static void commit(Warp w, int mask, int site) {
        check(w, mask, site);
        w.products.group++;
    }

    /** Makes the products of all groups but the last {@code pending}. */
    static void await(Warp w, int mask, int site, int pending) {
        check(w, mask, site);
        w.products.make(w.products.group - pending);
    }

    private static void check(Warp w, int mask, int site) {
        w.checkWhole(mask, site);
    }

    private void checkMatrices(Issued issued) {
        WarpgroupProduct product = issued.product();
        if (product.aDescriptor() >= 0) {
            matrixA(issued).check(warp, issued.site(), "A", firstRow(), WarpgroupProduct.ROWS);
        }
        matrixB(issued).check(warp, issued.site(), "B", 0, product.n());
    }

    private int firstRow() {
        return warp.index % WARPS * WarpgroupProduct.ROWS;
    }

    private static WarpgroupMatrix matrixA(Issued issued) {
        return new WarpgroupMatrix(issued.a(), issued.product().a(), issued.product().acrossA());
    }

    private static WarpgroupMatrix matrixB(Issued issued) {
        return new WarpgroupMatrix(issued.b(), issued.product().b(), issued.product().acrossB());
    }

    private void make(int before) {
        while (!outstanding.isEmpty() && outstanding.getFirst().group() < before) {
            multiply(outstanding.removeFirst());
        }
    }

    private void multiply(Issued issued) {
        WarpgroupProduct product = issued.product();
        int[] words = warp.block.shared().words;
        int depth = product.a().depth();
        if (product.aDescriptor() >= 0) {
            matrixA(issued).read(words, firstRow(), WarpgroupProduct.ROWS, a, depth, 1);
        } else {
            unpack(product, depth);
        }
        matrixB(issued).read(words, 0, product.n(), b, 1, product.n());
        if (product.sums() == WarpgroupProduct.Sums.S32) {
            sumWhole(product, depth, issued.adds());
        } else {
            sum(product, depth, issued.adds());
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
        boolean half = product.sums() == WarpgroupProduct.Sums.F16;
        if (adds) {
            fetch(product, half);
        } else {
            Arrays.fill(sums, 0, WarpgroupProduct.ROWS * n, 0);
        }
        for (int row = 0; row < WarpgroupProduct.ROWS; row++) {
            for (int k = 0; k < depth; k++) {
                float factor = product.negative() ? -a[row * depth + k] : a[row * depth + k];
                addRow(sums, row * n, b, k * n, n, factor);
            }
        }
        put(product, half);
    }

    private static void addRow(float[] sums, int to, float[] b, int from, int n, float factor) {
        for (int i = 0; i < n; i++) {
            sums[to + i] = Math.fma(factor, b[from + i], sums[to + i]);
        }
    }

    private static int place(WarpgroupProduct product, int register, int lane) {
        return ((lane >> 2) + 8 * (register >> 1 & 1)) * product.n() + 8 * (register >> 2) + 2 * (lane & 3)
                + (register & 1);
    }

    private void fetch(WarpgroupProduct product, boolean half) {
        for (int register = 0; register < product.n() / 2; register++) {
            int slot = product.d()[half ? register >> 1 : register];
            for (int lane = 0; lane < Layout.LANES; lane++) {
                int bits = warp.r[slot + lane];
                sums[place(product, register, lane)] = half ? Float.float16ToFloat((short) (bits >>> 16 * (register & 1)))
                        : Float.intBitsToFloat(bits);
            }
        }
    }

    private void put(WarpgroupProduct product, boolean half) {
        for (int register = 0; register < product.n() / 2; register += half ? 2 : 1) {
            int slot = product.d()[half ? register >> 1 : register];
            for (int lane = 0; lane < Layout.LANES; lane++) {
                int at = place(product, register, lane);
                warp.r[slot + lane] = half ? Conversions.packF16(sums[at + 1], sums[at], Rounding.RN)
                        : Float.floatToRawIntBits(sums[at]);
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

    /** {@code setmaxnreg}: registers of the warp's threads from now on. */
    static void registers(Warp w, int mask, int site, int count) {
        check(w, mask, site);
        if (count < 24 || count > 256 || count % 8 != 0) {
            throw w.block.fault(Kind.BAD_LAUNCH, site, w, 0,
                    "%d registers; there may be 24 to 256, a multiple of 8".formatted(count));
        }
    }
}
