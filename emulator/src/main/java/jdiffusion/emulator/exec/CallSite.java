package jdiffusion.emulator.exec;

/**
 * A call of a function: what it copies, and what it keeps for the time after the call. Functions have one place for
 * their registers and parameters; where a call may lead back to its own function, these are kept on a stack. Offsets
 * are those of local memory.
 *
 * @param target     block at which the function begins
 * @param next       block where the caller goes on
 * @param arguments  triples: from, to, bytes
 * @param results    triples: from, to, bytes
 * @param ints       slots of registers to keep
 * @param longs      the same for 64 bits
 * @param predicates the same for predicates
 * @param kept       pairs: offset and bytes to keep
 * @param frame      bytes that the function's arrays take of the stack, for one that may be called again before it ends
 */
record CallSite(int target, int next, int[] arguments, int[] results, int[] ints, int[] longs, int[] predicates,
        int[] kept, int frame) {}
