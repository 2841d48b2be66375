package jdiffusion.kernels.cuda;

import static java.util.Map.entry;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.emulator.Multiprocessor;

/**
 * What each kernel takes of a card, as {@code ptxas} says: registers of a thread, static shared memory, and how much of
 * a multiprocessor's threads run at once with that.
 */
final class KernelTable {
    /**
     * How kernels begin or end whose shared memory the launch decides: what it is at the product's sizes. Of several
     * the longest counts.
     */
    private static final Map<String, Integer> DYNAMIC_SHARED = Map.ofEntries(
            entry("attention_wide", 68096),
            entry("attention_256", 66304),
            entry("attention_plain", 2560),
            entry("attention_64_sm90", 192 * 128 + 4 * 2 * 128 * 128 + 17 * 8),
            entry("attention_72_sm90", 192 * 256 + 2 * 2 * 128 * 256 + 9 * 8),
            entry("attention_128_sm90", 128 * 256 + 3 * 2 * 128 * 256 + 13 * 8),
            entry("attention_256_sm90", 128 * 512 + 2 * 2 * 80 * 512 + 9 * 8),
            entry("sm90_broad", 4 * 48 * 1024 + 32 * 1024 + 64),
            entry("sm90_large", 6 * 32 * 1024 + 32 * 1024 + 96),
            entry("sm90_pair_broad", 4 * 48 * 1024 + 32 * 1024 + 64),
            entry("sm90_pair_large", 6 * 32 * 1024 + 32 * 1024 + 96),
            entry("_broad", 96 << 10),
            entry("groupnorm_describe", 8 * 33 * 8),
            entry("layernorm", 4 * 1536 * 4),
            entry("rmsnorm", 3 * 4096 * 4));
    private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
    private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
    private static final Pattern USED = Pattern.compile("Used (\\d+) registers");
    private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
    private static final Pattern THREADS =
            Pattern.compile("\\.entry (\\w+)\\([^{]*\\.maxntid (\\d+)", Pattern.DOTALL);

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
        Stream.of(Multiprocessor.values()).forEach(a -> out.append(' ').append(a.label()).append(" |"));
        out.append("\n| --- | ---: | ---: |").append(" ---: |".repeat(Multiprocessor.values().length)).append('\n');
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
                Map<Multiprocessor, Map<String, Use>> uses = architectures(file).parallel()
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

    private static Stream<Multiprocessor> architectures(String file) {
        return switch (Architecture.of(file)) {
            case SM_90A -> Stream.of(Multiprocessor.SM_90);
            case SM_89 -> file.endsWith("_native_sm89") ? Stream.of(Multiprocessor.SM_89, Multiprocessor.SM_120)
                    : Stream.of(Multiprocessor.SM_89, Multiprocessor.SM_90, Multiprocessor.SM_120);
            case ALL -> Stream.of(Multiprocessor.values());
        };
    }

    private static String row(String kernel, int threads, Map<Multiprocessor, Map<String, Use>> uses) {
        List<String> cells = new ArrayList<>();
        int dynamic = DYNAMIC_SHARED.entrySet().stream()
                .filter(e -> kernel.startsWith(e.getKey()) || kernel.endsWith(e.getKey()))
                .max(Comparator.comparingInt(e -> e.getKey().length())).map(Map.Entry::getValue).orElse(0);
        int shared = 0;
        for (Multiprocessor architecture : Multiprocessor.values()) {
            if (!uses.containsKey(architecture)) {
                cells.add("");
                continue;
            }
            Use use = uses.get(architecture).get(kernel);
            if (use.spilledBytes > 0) {
                throw new AssertionError(kernel + " spills " + use.spilledBytes + " bytes on " + architecture.label());
            }
            shared = use.sharedBytes + dynamic;
            int blocks = architecture.blocks(threads, use.registers, shared);
            if (blocks == 0) {
                throw new AssertionError(kernel + " does not fit " + architecture.label());
            }
            cells.add(use.registers + " (" + Math.round(100.0 * blocks * threads / architecture.threads()) + " %)");
        }
        return "| " + kernel + " | " + threads + " | " + shared + " | " + String.join(" | ", cells) + " |";
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

    private Map<String, Use> assemble(String file, Path ptx, Multiprocessor architecture) {
        String target = architecture.label() + (Architecture.of(file) == Architecture.SM_90A ? "a" : "");
        Nvcc.Result result = Nvcc.run(List.of(ptxas.toString(), "-arch=" + target, "-v", ptx.toString(),
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
