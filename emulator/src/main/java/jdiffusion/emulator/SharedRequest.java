package jdiffusion.emulator;

/**
 * What the lanes of a warp asked of shared memory with one instruction: of all requests of that instruction the first
 * with the most bank conflicts.
 *
 * @param addresses in bytes, by lane
 * @param mask      lanes that take part
 * @param bytes     of each lane
 * @param conflicts cycles that bank conflicts cost
 */
public record SharedRequest(long[] addresses, int mask, int bytes, int conflicts) {
}
