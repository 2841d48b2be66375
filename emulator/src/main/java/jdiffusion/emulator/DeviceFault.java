package jdiffusion.emulator;

/** A kernel did what it must not. The message names kernel, PTX line and its text, block, thread and the reason. */
public class DeviceFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** An address outside every allocation, the block's shared memory, or the thread's local memory. */
        OUT_OF_BOUNDS,
        /** An address that is not a multiple of the access's size. */
        MISALIGNED,
        /** Shared memory was read before anything was written there (option check). */
        UNINITIALISED_SHARED,
        /** Two threads used a byte of shared memory with no barrier between, one writing (option check). */
        SHARED_RACE,
        /** Shared memory was used while an asynchronous copy to it was under way (option check). */
        UNFINISHED_COPY,
        /**
         * A barrier or a warp-wide instruction was reached by a part of its threads only, or took a value of a thread
         * that does not take part (option check).
         */
        DIVERGENT_BARRIER,
        /**
         * Registers were used while a warpgroup's product that works with them was under way (option check).
         */
        UNFINISHED_PRODUCT,
        /**
         * Shared memory or registers went to asynchronous instructions without the fence that must come between
         * (option check).
         */
        MISSING_FENCE,
        /**
         * A barrier in shared memory got more arrivals or bytes than its phase takes; threads arrived twice at the
         * barrier of
         * a cluster, or waited there without having arrived.
         */
        BARRIER,
        /**
         * Shared memory of another block of a cluster was used when that block had ended, or may have ended or not have
         * started (option check).
         */
        PEER,
        /** An {@code assert} of the kernel did not hold. */
        ASSERTION,
        /** Calls within calls need more local memory than a thread has for them, or do not end. */
        STACK_OVERFLOW,
        /** The kernel executed {@code trap}. */
        TRAP,
        /** Every warp that is left waits at a barrier that cannot open. */
        DEADLOCK,
        /** The launch itself is wrong: block too large, parameters too short. */
        BAD_LAUNCH
    }

    private final Kind kind;
    private final String kernel;
    private final int line;
    private final transient Dim3 block;
    private final int thread;

    /**
     * @param what the reason with its numbers, put into the message
     * @param line PTX line, from 1, or 0
     * @param text that line's text
     * @param block index of the block, or null when no block runs yet
     * @param thread linear index of the thread in its block, or -1 when no single thread is at fault
     */
    public DeviceFault(Kind kind, String what, String kernel, int line, String text, Dim3 block, int thread) {
        super(message(kind, what, kernel, line, text, block, thread));
        this.kind = kind;
        this.kernel = kernel;
        this.line = line;
        this.block = block;
        this.thread = thread;
    }

    private static String message(
            Kind kind, String what, String kernel, int line, String text, Dim3 block, int thread) {
        var message = new StringBuilder().append(kind).append(" in kernel ").append(kernel);
        if (line > 0) {
            message.append(", PTX line ").append(line).append(" `").append(text).append('`');
        }
        if (block != null) {
            message.append(", block ").append(block);
        }
        if (thread >= 0) {
            message.append(", thread ").append(thread)
                    .append(" (warp ").append(thread >> 5).append(", lane ").append(thread & 31).append(')');
        }
        return message.append(": ").append(what).toString();
    }

    public Kind kind() {
        return kind;
    }

    /** Name of the kernel. */
    public String kernel() {
        return kernel;
    }

    /** Line of the PTX text, from 1; 0 when no line is at fault. */
    public int line() {
        return line;
    }

    /** Index of the block, or null. */
    public Dim3 block() {
        return block;
    }

    /** Linear index of the thread in its block, or -1. */
    public int thread() {
        return thread;
    }
}
