package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What each kernel takes of a card, as {@code ptxas} says: registers of a thread, static shared memory, and how much of
 * a multiprocessor's threads run at once with that.
 */
final class KernelTable {
    /** Kernels whose shared memory the launch decides: what it is at the product's sizes. */
    private static final Map<String, Integer> DYNAMIC_SHARED = Map.of(
            "attention_wide", 68096,
            "attention_256", 66336,
            "attention_plain", 3584,
            "groupnorm_describe", 8 * 33 * 8,
            "layernorm", 4 * 1536 * 4,
            "rmsnorm", 3 * 4096 * 4);
    private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
    private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
    private static final Pattern USED = Pattern.compile("Used (\\d+) registers");
    private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
    private static final Pattern THREADS =
            Pattern.compile("\\.entry (\\w+)\\([^{]*\\.maxntid (\\d+)", Pattern.DOTALL);
    private static final int REGISTERS = 65536;
    private static final int REGISTERS_AT_A_TIME = 256;
    private static final int SHARED_OF_SYSTEM = 1024;

    /**
     * An architecture and the limits of its multiprocessor: CUDA C++ Programming Guide, "Technical Specifications per
     * Compute Capability".
     */
    enum Architecture {
        SM_80(2048, 32, 164), SM_86(1536, 16, 100), SM_89(1536, 24, 100), SM_90(2048, 32, 228), SM_120(1536, 24, 100);

        private final int threads;
        private final int blocks;
        private final int sharedBytes;

        Architecture(int threads, int blocks, int sharedKib) {
            this.threads = threads;
            this.blocks = blocks;
            this.sharedBytes = sharedKib << 10;
        }

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What {@code ptxas} says of a kernel. */
    record Use(int registers, int sharedBytes, int spilledBytes) {
    }

    private final Path ptxas;

    KernelTable(Path ptxas) {
        this.ptxas = ptxas;
    }

    /** The table as it is checked in. */
    String of(List<String> files) {
        StringBuilder out = new StringBuilder("""
                # What the CUDA kernels take

                Made from the PTX by `ptxas` for every architecture; `KernelTableTest` fails when it is stale and \
                says how to make it anew. Registers are a thread's; shared memory is a block's in bytes, with that \
                which the launch adds; the share is that of a multiprocessor's threads that run at once. Nothing \
                spills.

                """);
        out.append("| kernel | threads | shared |");
        Stream.of(Architecture.values()).forEach(a -> out.append(' ').append(a.label()).append(" |"));
        out.append("\n| --- | ---: | ---: |").append(" ---: |".repeat(Architecture.values().length)).append('\n');
        files.parallelStream().map(this::rows).forEachOrdered(out::append);
        return out.toString();
    }

    private String rows(String file) {
        String text = KernelSource.BUILT_IN.ptx(file);
        Map<String, Integer> threads = threads(text);
        try {
            Path ptx = Files.createTempFile("kernels", ".ptx");
            try {
                Files.writeString(ptx, text);
                Map<Architecture, Map<String, Use>> uses = Stream.of(Architecture.values()).parallel()
                        .collect(Collectors.toConcurrentMap(a -> a, a -> assemble(file, ptx, a)));
                return threads.keySet().stream().map(kernel -> row(kernel, threads.get(kernel), uses) + "\n")
                        .collect(Collectors.joining());
            } finally {
                Files.delete(ptx);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String row(String kernel, int threads, Map<Architecture, Map<String, Use>> uses) {
        List<String> cells = new ArrayList<>();
        int dynamic = DYNAMIC_SHARED.entrySet().stream().filter(e -> kernel.startsWith(e.getKey()))
                .mapToInt(Map.Entry::getValue).findFirst().orElse(0);
        int shared = 0;
        for (Architecture architecture : Architecture.values()) {
            Use use = uses.get(architecture).get(kernel);
            if (use.spilledBytes > 0) {
                throw new AssertionError(kernel + " spills " + use.spilledBytes + " bytes on " + architecture.label());
            }
            shared = use.sharedBytes + dynamic;
            int blocks = blocks(architecture, threads, use.registers, shared);
            if (blocks == 0) {
                throw new AssertionError(kernel + " does not fit " + architecture.label());
            }
            cells.add(use.registers + " (" + Math.round(100.0 * blocks * threads / architecture.threads) + " %)");
        }
        return "| " + kernel + " | " + threads + " | " + shared + " | " + String.join(" | ", cells) + " |";
    }

    /** Blocks that a multiprocessor holds at once. */
    static int blocks(Architecture architecture, int threads, int registers, int sharedBytes) {
        int warps = Math.ceilDiv(threads, 32);
        int ofWarp = Math.ceilDiv(registers * 32, REGISTERS_AT_A_TIME) * REGISTERS_AT_A_TIME;
        int byRegisters = REGISTERS / ofWarp / warps;
        int byShared = architecture.sharedBytes / (sharedBytes + SHARED_OF_SYSTEM);
        int byThreads = architecture.threads / (warps * 32);
        return Stream.of(byRegisters, byShared, byThreads, architecture.blocks).min(Integer::compare).orElseThrow();
    }

    /** Threads of a block, by kernel in the order of their names. */
    private static Map<String, Integer> threads(String ptx) {
        Map<String, Integer> threads = new TreeMap<>();
        Matcher matcher = THREADS.matcher(ptx);
        while (matcher.find()) {
            threads.put(matcher.group(1), Integer.valueOf(matcher.group(2)));
        }
        return threads;
    }

    private Map<String, Use> assemble(String file, Path ptx, Architecture architecture) {
        Nvcc.Result result = Nvcc.run(List.of(ptxas.toString(), "-arch=" + architecture.label(), "-v", ptx.toString(),
                "-o", "/dev/null"));
        if (result.code() != 0) {
            throw new AssertionError(file + " does not assemble for " + architecture.label() + ": " + result.output());
        }
        Map<String, Use> uses = new HashMap<>();
        String kernel = null;
        int spilled = 0;
        for (String line : result.output().lines().collect(Collectors.toList())) {
            Matcher entry = ENTRY.matcher(line);
            Matcher spills = SPILLS.matcher(line);
            Matcher used = USED.matcher(line);
            if (entry.find()) {
                kernel = entry.group(1);
            } else if (spills.find()) {
                spilled = Integer.parseInt(spills.group(1)) + Integer.parseInt(spills.group(2));
            } else if (used.find()) {
                Matcher shared = SHARED.matcher(line);
                uses.put(kernel, new Use(Integer.parseInt(used.group(1)),
                        shared.find() ? Integer.parseInt(shared.group(1)) : 0, spilled));
            }
        }
        return uses;
    }
}
