package jdiffusion.emulator;

import java.util.List;

/**
 * Published peaks of a graphics card, for estimates: NVIDIA's architecture white papers (GA102, GA100, Ada, H100, RTX
 * Blackwell) and data sheets, at boost clock and without sparsity. The H100's tensor peak is that of warp-group
 * instructions; kernels with {@code mma.sync} reach about two thirds of it.
 *
 * @param name          as on the box
 * @param architecture  what ptxas calls it, like 86 for sm_86
 * @param multiprocessors streaming multiprocessors, each issuing four warp instructions per cycle
 * @param clockHz       boost clock
 * @param tensorFlops   bf16 operations per second of the tensor cores with f32 accumulation
 * @param memoryBytesPerSecond bandwidth of the card's memory
 */
public record Card(String name, int architecture, int multiprocessors, double clockHz, double tensorFlops,
        double memoryBytesPerSecond) {

    /** Warp schedulers of a multiprocessor, on every card of the table. */
    public static final int SCHEDULERS = 4;

    /** The cards of the table, by architecture. */
    public static final List<Card> ALL = List.of(
            of("A100 80GB SXM", 80, 108, 1410, 312, 2039),
            of("RTX 3060", 86, 28, 1777, 25.5, 360),
            of("RTX 3080", 86, 68, 1710, 59.5, 760),
            of("RTX 4060", 89, 24, 2460, 30.2, 272),
            of("RTX 4070", 89, 46, 2475, 58.3, 504),
            of("RTX 4080", 89, 76, 2505, 97.5, 717),
            of("RTX 4090", 89, 128, 2520, 165.2, 1008),
            of("H100 SXM", 90, 132, 1830, 989.4, 3350),
            of("RTX 5090", 120, 170, 2407, 209.5, 1792));

    /** The name cut down to what tells the cards of the table apart: {@code A100}, {@code 4090}. */
    String label() {
        return name.replace("RTX ", "").replaceFirst(" .*", "");
    }

    private static Card of(String name, int architecture, int multiprocessors, double megahertz, double teraflops,
            double gigabytesPerSecond) {
        return new Card(name, architecture, multiprocessors, megahertz * 1e6, teraflops * 1e12,
                gigabytesPerSecond * 1e9);
    }
}
