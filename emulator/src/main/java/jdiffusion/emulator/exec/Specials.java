package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Special registers. */
final class Specials {
    /** The only one that is a predicate. */
    static final String IS_EXPLICIT_CLUSTER = "%is_explicit_cluster";
    private static final Set<String> NAMES = Set.of("%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
            "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid", "%warpid",
            "%nwarpid", "%smid", "%nsmid", "%gridid", "%clock", "%clock_hi", "%clock64", "%globaltimer",
            "%globaltimer_lo", "%globaltimer_hi", "%lanemask_eq", "%lanemask_lt", "%lanemask_le", "%lanemask_gt",
            "%lanemask_ge", "%dynamic_smem_size", "%total_smem_size", "%envreg1", "%envreg2", "%clusterid.x",
            "%clusterid.y", "%clusterid.z", "%nclusterid.x", "%nclusterid.y", "%nclusterid.z", "%cluster_ctaid.x",
            "%cluster_ctaid.y", "%cluster_ctaid.z", "%cluster_nctaid.x", "%cluster_nctaid.y", "%cluster_nctaid.z",
            "%cluster_ctarank", "%cluster_nctarank",
            IS_EXPLICIT_CLUSTER);

    private Specials() {}

    static boolean isSpecial(String register) {
        return NAMES.contains(register);
    }

    /** Declared type. */
    static Type type(String register) {
        return register.equals(IS_EXPLICIT_CLUSTER) ? Type.PRED
                : register.equals("%clock64") || register.equals("%globaltimer") ? Type.U64 : Type.U32;
    }

    /** Whether a register has another value each time it is read. */
    static boolean isClock(String register) {
        return register.startsWith("%clock") || register.startsWith("%globaltimer");
    }

    /** The clock that an instruction reads, or null. */
    static String clock(Instruction instruction) {
        for (Operand operand : instruction.operands()) {
            if (operand instanceof Operand.Reg reg && isClock(reg.name())) {
                return reg.name();
            }
        }
        return null;
    }

    /**
     * Puts the time into a clock's slot, for all lanes: nanoseconds of the clock that the driver's events take theirs
     * from, so that a cycle is a nanosecond. {@code half}: 0 for all 64 bits, 1 for the upper half, 2 for the lower
     * one.
     */
    static void readClock(Warp w, int mask, int slot, int half) {
        long now = System.nanoTime();
        if (half == 0) {
            Arrays.fill(w.q, slot, slot + Layout.LANES, now);
        } else {
            Arrays.fill(w.r, slot, slot + Layout.LANES, (int) (half == 1 ? now >>> 32 : now));
        }
    }

    /** Value of a special register of 32 bits in one lane; 0 for clocks, which are read when their turn comes. */
    static int value(String register, Block block, int thread) {
        int lane = thread & 31;
        var shape = block.shape();
        var cluster = block.clusterShape();
        return switch (register) {
            case "%tid.x" -> thread % shape.x();
            case "%tid.y" -> thread / shape.x() % shape.y();
            case "%tid.z" -> thread / shape.x() / shape.y();
            case "%ntid.x" -> shape.x();
            case "%ntid.y" -> shape.y();
            case "%ntid.z" -> shape.z();
            case "%ctaid.x" -> block.index().x();
            case "%ctaid.y" -> block.index().y();
            case "%ctaid.z" -> block.index().z();
            case "%nctaid.x" -> block.grid().x();
            case "%nctaid.y" -> block.grid().y();
            case "%nctaid.z" -> block.grid().z();
            case "%laneid" -> lane;
            case "%warpid" -> thread >> 5;
            case "%nwarpid" -> (int) (shape.count() + 31 >> 5);
            case "%nsmid" -> 1;
            case "%lanemask_eq" -> 1 << lane;
            case "%lanemask_lt" -> (1 << lane) - 1;
            case "%lanemask_le" -> (2 << lane) - 1;
            case "%lanemask_gt" -> -(2 << lane);
            case "%lanemask_ge" -> -(1 << lane);
            case "%dynamic_smem_size" -> block.dynamicShared();
            case "%total_smem_size" -> block.sharedBytes();
            case "%envreg1" -> (int) (block.gridBarrier() >>> 32);
            case "%envreg2" -> (int) block.gridBarrier();
            case "%clusterid.x" -> block.index().x() / cluster.x();
            case "%clusterid.y" -> block.index().y() / cluster.y();
            case "%clusterid.z" -> block.index().z() / cluster.z();
            case "%nclusterid.x" -> block.grid().x() / cluster.x();
            case "%nclusterid.y" -> block.grid().y() / cluster.y();
            case "%nclusterid.z" -> block.grid().z() / cluster.z();
            case "%cluster_ctaid.x" -> block.index().x() % cluster.x();
            case "%cluster_ctaid.y" -> block.index().y() % cluster.y();
            case "%cluster_ctaid.z" -> block.index().z() % cluster.z();
            case "%cluster_nctaid.x" -> cluster.x();
            case "%cluster_nctaid.y" -> cluster.y();
            case "%cluster_nctaid.z" -> cluster.z();
            case "%cluster_ctarank" -> block.rank();
            case "%cluster_nctarank" -> (int) cluster.count();
            default -> 0;
        };
    }
}
