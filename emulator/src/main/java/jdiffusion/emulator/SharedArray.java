package jdiffusion.emulator;

/**
 * An array in the shared memory of a kernel's blocks.
 *
 * @param offset where it begins, in bytes
 * @param bytes  0 for the dynamic part, whose size each launch says
 */
public record SharedArray(String name, int offset, int bytes) {
}
