package jdiffusion.emulator.exec;

import java.util.BitSet;
import java.util.List;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * Finds uses of registers that products of warpgroups work with. From a product's issue to the wait for it nobody may
 * touch its sums and fragments; and a {@code wgmma.fence} must come between other uses of them and the product.
 */
final class RegisterCheck {
    private final Warp warp;
    private final List<RegisterUse> uses;
    private final BitSet flying = new BitSet();
    /** Since the last fence. */
    private final BitSet touched = new BitSet();
    private final BitSet written = new BitSet();
    private boolean fenced;

    RegisterCheck(Warp warp) {
        this.warp = warp;
        this.uses = warp.kernel.registerUses();
    }

    /** A new block of threads starts. */
    void reset() {
        flying.clear();
        touched.clear();
        written.clear();
        fenced = false;
    }

    /** The warp runs a basic block. */
    void enter(int at) {
        RegisterUse use = uses.get(at);
        if (flying.intersects(use.all())) {
            for (int i = 0; i < use.touched().size(); i++) {
                int site = warp.kernel.blockSites()[at][i];
                if (site >= 0 && flying.intersects(use.touched().get(i))) {
                    throw warp.block.fault(Kind.UNFINISHED_PRODUCT, site, warp, 0,
                            "uses a register of a product that is under way: no wgmma.wait_group came after it");
                }
            }
        }
        touched.or(use.all());
        written.or(use.written());
    }

    void fence() {
        touched.clear();
        written.clear();
        fenced = true;
    }

    /** A product is issued. */
    void issue(WarpgroupProduct product, int site) {
        for (int slot : product.d()) {
            check(site, touched.get(slot / Layout.LANES), "sum");
            flying.set(slot / Layout.LANES);
        }
        for (int slot : product.fragment()) {
            check(site, written.get(slot / Layout.LANES), "fragment");
            flying.set(slot / Layout.LANES);
        }
    }

    private void check(int site, boolean used, String what) {
        if (used || !fenced) {
            throw warp.block.fault(Kind.MISSING_FENCE, site, warp, 0, used
                    ? "a register of its %s was used with no wgmma.fence since".formatted(what)
                    : "no wgmma.fence came before it");
        }
    }

    /** The warp has waited; these products are under way still. */
    void ended(List<WarpgroupProduct> left) {
        flying.clear();
        for (WarpgroupProduct product : left) {
            for (int slot : product.d()) {
                flying.set(slot / Layout.LANES);
            }
            for (int slot : product.fragment()) {
                flying.set(slot / Layout.LANES);
            }
        }
    }
}
