package jdiffusion.emulator;

import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * What the launches of one kernel did, summed. Instructions and requests are counted per warp, once however many
 * lanes take part.
 */
public final class KernelCounters {

    /** Kinds of warp instructions. */
    public enum InstructionClass {
        MMA, LDMATRIX, CP_ASYNC, GLOBAL, SHARED, FLOAT, INTEGER, CONTROL, BARRIER, OTHER
    }

    /** Memory traffic, of a line or of a whole kernel. */
    public static final class Traffic {
        /** Warp requests to global memory. */
        public long globalRequests;
        /** Distinct 32-byte sectors touched, summed over the requests. */
        public long globalSectors;
        /** Of these, the sectors that were read. */
        public long globalSectorsRead;
        /** Sectors that the distinct bytes of a request would fill if they lay together, summed over the requests. */
        public long globalIdealSectors;
        /** Bytes that active lanes read from global memory, counted for each lane that reads them. */
        public long globalBytesRead;
        /** Bytes that active lanes wrote to global memory. */
        public long globalBytesWritten;
        /** Warp requests to shared memory, those of ldmatrix and cp.async included. */
        public long sharedRequests;
        /** Cycles that bank conflicts add to those requests. */
        public long sharedConflictCycles;
        /**
         * Cycles that shared memory serves those requests, 128 bytes in each at most: one for a request, two or four
         * where lanes take 8 or 16 bytes, and the bank conflicts.
         */
        public long sharedWavefronts;

        /** Adds another's numbers to these. */
        public void add(Traffic other) {
            globalRequests += other.globalRequests;
            globalSectors += other.globalSectors;
            globalSectorsRead += other.globalSectorsRead;
            globalIdealSectors += other.globalIdealSectors;
            globalBytesRead += other.globalBytesRead;
            globalBytesWritten += other.globalBytesWritten;
            sharedRequests += other.sharedRequests;
            sharedConflictCycles += other.sharedConflictCycles;
            sharedWavefronts += other.sharedWavefronts;
        }
    }

    /** One PTX instruction: where it stands, what it is, how often a warp executed it, and its traffic. */
    public static final class Line {
        public final int line;
        public final String text;
        public final InstructionClass kind;
        public long executions;
        /** Lanes that took part, summed over the executions. */
        public long lanes;
        /** How often lanes of a warp went on at different places after it. */
        public long partings;
        /** Of a barrier: times that it opened. */
        public long openings;
        /** Of a barrier: instructions of the warps that met there, each since it last met any. */
        public long instructionsToBarrier;
        /** Of a barrier: what that would be, did every warp execute as many as the one that executed most. */
        public long slowestToBarrier;
        /** The request to shared memory with most bank conflicts; null where there was none. */
        public SharedRequest worst;
        public final Traffic traffic = new Traffic();

        /** Lanes that took part in an execution, 1 to 32 on average; 0 without executions. */
        public double activeLanes() {
            return executions == 0 ? 0 : (double) lanes / executions;
        }

        void keepWorse(SharedRequest request) {
            if (request != null && (worst == null || request.conflicts() > worst.conflicts())) {
                worst = request;
            }
        }

        Line(int line, String text, InstructionClass kind) {
            this.line = line;
            this.text = text;
            this.kind = kind;
        }
    }

    private final String kernel;
    private final List<SharedArray> sharedArrays;
    private final long[] instructions = new long[InstructionClass.values().length];
    private final NavigableMap<Integer, Line> lines = new TreeMap<>();
    private final Traffic traffic = new Traffic();
    private long launches;
    private long blocks;
    private long mmaFlops;

    /** @param sharedArrays of the kernel */
    KernelCounters(String kernel, List<SharedArray> sharedArrays) {
        this.kernel = kernel;
        this.sharedArrays = sharedArrays;
    }

    /** What the kernel's shared memory holds. */
    public List<SharedArray> sharedArrays() {
        return sharedArrays;
    }

    /** Lanes that took part in an instruction, on average over all instructions of warps. */
    public double activeLanes() {
        return (double) lines.values().stream().mapToLong(line -> line.lanes).sum() / Math.max(1, instructions());
    }

    /** How often lanes of a warp went on at different places. */
    public long partings() {
        return lines.values().stream().mapToLong(line -> line.partings).sum();
    }

    public String kernel() {
        return kernel;
    }

    public long launches() {
        return launches;
    }

    /** Thread blocks run. */
    public long blocks() {
        return blocks;
    }

    /** Warp instructions of one class. */
    public long instructions(InstructionClass kind) {
        return instructions[kind.ordinal()];
    }

    /** Warp instructions of all classes. */
    public long instructions() {
        return Arrays.stream(instructions).sum();
    }

    /** Floating-point operations of the tensor cores, a multiply-add counting two. */
    public long mmaFlops() {
        return mmaFlops;
    }

    /** Memory traffic of the whole kernel. */
    public Traffic traffic() {
        return traffic;
    }

    /** Every instruction by PTX line, in the order of the text. */
    public NavigableMap<Integer, Line> lines() {
        return lines;
    }

    void addLaunch(long blockCount) {
        launches++;
        blocks += blockCount;
    }

    /** Adds executions of the instruction at a line, of {@code flops} each; the caller adds what else is known. */
    Line addLine(int number, String text, InstructionClass kind, long executions, long flops, Traffic lineTraffic) {
        Line line = lines.computeIfAbsent(number, n -> new Line(n, text, kind));
        line.executions += executions;
        line.traffic.add(lineTraffic);
        traffic.add(lineTraffic);
        instructions[kind.ordinal()] += executions;
        mmaFlops += executions * flops;
        return line;
    }
}
