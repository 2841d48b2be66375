package jdiffusion.emulator.exec;

import java.util.HashMap;
import java.util.Map;

/**
 * The instructions that have a {@link WideOp}. Each that a kernel uses gets a number, by which {@link #run} calls
 * it: from one place, so that the JIT does not compile it again into every basic block of every kernel.
 */
final class WideTable {
    private static final int MOST = 256;
    private static final Map<String, Entry> FOUND = new HashMap<>();
    /** By number. */
    private static final WideOp[] OPS = new WideOp[MOST];

    /**
     * An instruction of whole warps.
     *
     * @param number in {@link #OPS}
     * @param kinds  of the result and of the operands: i for a 32-bit register, l for one of 64 bits, p for a
     *               predicate, n for a number
     */
    record Entry(int number, String kinds) {}

    private record Choice(String kinds, WideOp op) {}

    private WideTable() {}

    /** Executes an instruction; arguments as {@link WideOp} has them. */
    static void run(Warp w, int number, int mask, int d, int a) {
        OPS[number].run(w, mask, d, a, 0, 0);
    }

    static void run(Warp w, int number, int mask, int d, int a, int b) {
        OPS[number].run(w, mask, d, a, b, 0);
    }

    static void run(Warp w, int number, int mask, int d, int a, int b, int c) {
        OPS[number].run(w, mask, d, a, b, c);
    }

    /** The entry of an instruction, by its name as {@link OpTable#key} makes it, with ftz at its end if it has that. */
    static synchronized Entry find(String name) {
        Entry found = FOUND.get(name);
        if (found == null) {
            Choice choice = choice(name);
            if (choice != null) {
                found = new Entry(FOUND.size(), choice.kinds);
                OPS[found.number] = choice.op;
                FOUND.put(name, found);
            }
        }
        return found;
    }

    private static Choice choice(String name) {
        return switch (name) {
            case "mov.b32", "mov.u32", "mov.s32", "mov.f32" -> of("ii", WideInts::copy);
            case "mov.b64", "mov.u64", "mov.s64", "cvta" -> of("ll", WideLongs::copy);
            case "mov.pred" -> of("pp", WideInts::copyPredicate);
            case "selp.b32", "selp.u32", "selp.s32", "selp.f32" -> of("iiip", WideInts::select);
            case "selp.b64", "selp.u64", "selp.s64", "selp.f64" -> of("lllp", WideLongs::select);
            case "cvt.u64.u32" -> of("li", WideLongs::widenUnsigned);
            case "cvt.s64.s32" -> of("li", WideLongs::widen);
            case "cvt.u32.u64", "cvt.s32.s64" -> of("il", WideInts::low);
            case "mul.wide.s32" -> of("lii", WideLongs::mulWide);
            case "mul.wide.u32" -> of("lii", WideLongs::mulWideUnsigned);
            default -> {
                Choice choice = name.startsWith("setp.") ? comparison(name) : name.endsWith("64") ? longs(name)
                        : name.endsWith(".pred") ? predicates(name) : ints(name);
                yield choice != null ? choice : floats(name);
            }
        };
    }

    private static Choice ints(String name) {
        return switch (name) {
            case "add.s32", "add.u32" -> of("iii", WideInts::add);
            case "sub.s32", "sub.u32" -> of("iii", WideInts::sub);
            case "mul.lo.s32", "mul.lo.u32" -> of("iii", WideInts::mul);
            case "mad.lo.s32", "mad.lo.u32" -> of("iiii", WideInts::mad);
            case "min.s32" -> of("iii", WideInts::min);
            case "max.s32" -> of("iii", WideInts::max);
            case "and.b32" -> of("iii", WideInts::and);
            case "or.b32" -> of("iii", WideInts::or);
            case "xor.b32" -> of("iii", WideInts::xor);
            case "not.b32" -> of("ii", WideInts::not);
            case "shl.b32" -> of("iin", WideInts::shl);
            case "shr.u32", "shr.b32" -> of("iin", WideInts::shrUnsigned);
            case "shr.s32" -> of("iin", WideInts::shr);
            case "pack" -> of("iii", WideInts::pack);
            case "unpack.low" -> of("ii", WideInts::lowHalf);
            case "ld.param" -> of("innn", WideInts::parameter);
            case "ld.param.wide" -> of("ln", WideLongs::parameter);
            default -> null;
        };
    }

    private static Choice longs(String name) {
        return switch (name) {
            case "add.s64", "add.u64" -> of("lll", WideLongs::add);
            case "sub.s64", "sub.u64" -> of("lll", WideLongs::sub);
            case "mul.lo.s64", "mul.lo.u64" -> of("lll", WideLongs::mul);
            case "and.b64" -> of("lll", WideLongs::and);
            case "or.b64" -> of("lll", WideLongs::or);
            case "shl.b64" -> of("lln", WideLongs::shl);
            case "shr.u64", "shr.b64" -> of("lln", WideLongs::shrUnsigned);
            default -> null;
        };
    }

    private static Choice predicates(String name) {
        return switch (name) {
            case "and.pred" -> of("ppp", WideInts::andPredicate);
            case "or.pred" -> of("ppp", WideInts::orPredicate);
            case "xor.pred" -> of("ppp", WideInts::xorPredicate);
            case "not.pred" -> of("pp", WideInts::notPredicate);
            default -> null;
        };
    }

    private static Choice comparison(String name) {
        return switch (name.substring("setp.".length())) {
            case "eq.s32", "eq.u32", "eq.b32" -> of("pii", WideInts::equal);
            case "ne.s32", "ne.u32", "ne.b32" -> of("pii", WideInts::unequal);
            case "lt.s32" -> of("pii", WideInts::less);
            case "le.s32" -> of("pii", WideInts::lessOrEqual);
            case "gt.s32" -> of("pii", WideInts::greater);
            case "ge.s32" -> of("pii", WideInts::greaterOrEqual);
            case "lt.u32", "lo.u32" -> of("pii", WideInts::below);
            case "le.u32", "ls.u32" -> of("pii", WideInts::belowOrEqual);
            case "gt.u32", "hi.u32" -> of("pii", WideInts::above);
            case "ge.u32", "hs.u32" -> of("pii", WideInts::aboveOrEqual);
            case "eq.s64", "eq.u64", "eq.b64" -> of("pll", WideLongs::equal);
            case "ne.s64", "ne.u64", "ne.b64" -> of("pll", WideLongs::unequal);
            case "lt.s64" -> of("pll", WideLongs::less);
            case "le.s64" -> of("pll", WideLongs::lessOrEqual);
            case "gt.s64" -> of("pll", WideLongs::greater);
            case "ge.s64" -> of("pll", WideLongs::greaterOrEqual);
            case "lt.u64", "lo.u64" -> of("pll", WideLongs::below);
            case "ge.u64", "hs.u64" -> of("pll", WideLongs::aboveOrEqual);
            default -> null;
        };
    }

    private static Choice floats(String name) {
        return switch (name) {
            case "add.f32" -> of("iii", WideFloats::add);
            case "sub.f32" -> of("iii", WideFloats::sub);
            case "mul.f32" -> of("iii", WideFloats::mul);
            case "div.f32" -> of("iii", WideFloats::div);
            case "fma.f32" -> of("iiii", WideFloats::fma);
            case "neg.f32" -> of("ii", WideFloats::neg);
            case "abs.f32" -> of("ii", WideFloats::abs);
            case "max.f32" -> of("iii", WideFloats::max);
            case "min.f32" -> of("iii", WideFloats::min);
            case "ex2.f32" -> of("ii", WideFloats::ex2);
            case "ex2.f32.ftz" -> of("ii", WideFloats::ex2Flushed);
            case "rcp.f32.ftz" -> of("ii", WideFloats::rcpFlushed);
            case "cvt.rn.bf16x2.f32" -> of("iii", WideFloats::packBf16);
            default -> null;
        };
    }

    private static Choice of(String kinds, WideOp op) {
        return new Choice(kinds, op);
    }
}
