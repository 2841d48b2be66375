package jdiffusion.kernels.machine;

import java.util.Locale;

/** The instructions that matrix products run on, best first. */
public enum CpuLevel {
    /** AMX-BF16 for products in bfloat16, AVX-512 for others. */
    AMX("AMX-TILE and AMX-BF16", "products in bf16 on tiles of 16 by 16, others as avx512"),
    /** AVX512_BF16 for products in bfloat16, AVX-512 for others. */
    AVX512BF16("AVX512_BF16", "products in bf16 two at a time, others as avx512"),
    /** AVX-512: 512 bits, 32 registers. */
    AVX512("AVX-512 F, DQ, BW and VL", "machine code with 512-bit registers"),
    /** AVX2 and FMA: 256 bits, 16 registers. */
    AVX2("AVX2 and FMA", "machine code with 256-bit registers"),
    /** Java's Vector API: every CPU. */
    VECTOR("", "no machine code, Java's Vector API");

    private final String needs;
    private final String description;

    CpuLevel(String needs, String description) {
        this.needs = needs;
        this.description = description;
    }

    /** Asked once, when first needed. */
    private static final class Probe {
        private static final String OBSTACLE;
        private static final CpuFeatures FEATURES;
        private static final boolean TILES;

        static {
            String obstacle = CodeMemory.obstacle();
            CpuFeatures features = null;
            try {
                features = obstacle == null ? CpuFeatures.probe() : null;
            } catch (MachineCodeException e) {
                obstacle = e.getMessage();
            }
            OBSTACLE = obstacle;
            FEATURES = features;
            TILES = features != null && features.amx() && TilePermission.ask();
        }
    }

    /** The best that can be used here. */
    public static CpuLevel best() {
        for (CpuLevel level : values()) {
            if (level.obstacle() == null) {
                return level;
            }
        }
        throw new AssertionError("the Vector API has no obstacle");
    }

    /** Why it cannot be used here, a line for the user; null when it can. */
    public String obstacle() {
        if (this == VECTOR) {
            return null;
        }
        if (Probe.OBSTACLE != null) {
            return Probe.OBSTACLE;
        }
        if (this == AMX && Probe.FEATURES.amx()) {
            return Probe.TILES ? null : "Linux does not let this process use AMX's tiles (arch_prctl("
                    + "ARCH_REQ_XCOMP_PERM), since Linux 5.16); a container may forbid the call";
        }
        boolean has = switch (this) {
            case AMX -> Probe.FEATURES.amx();
            case AVX512BF16 -> Probe.FEATURES.avx512bf16();
            case AVX512 -> Probe.FEATURES.avx512();
            case AVX2 -> Probe.FEATURES.avx2();
            case VECTOR -> true;
        };
        return has ? null : "this CPU, or its operating system, lacks " + needs;
    }

    /** What it is, in some words. */
    public String description() {
        return description;
    }

    /** As in {@code --cpu}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether products in bfloat16 may take pairs of numbers. */
    public boolean hasPairs() {
        return this == AMX || this == AVX512BF16;
    }

    /** Bits of its widest registers. */
    int bits() {
        return this == AVX2 ? 256 : 512;
    }
}
