package jdiffusion.kernels.cuda;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.kernels.DeviceException;

/**
 * Which lines of the sources the lines of a PTX text are of. It is made of what a compiler writes with
 * {@code -lineinfo} ({@code .file} and {@code .loc}, in PTX's manual under debugging directives) and lies beside the
 * PTX, a twentieth of its size, so that the PTX itself need not carry it.
 */
public final class LineTable {
    /** Of the names of packed tables. */
    static final String ENDING = ".lines.gz";
    private static final Pattern FILE = Pattern.compile("\\.file\\s+(\\d+)\\s+\"([^\"]*)\".*");
    private static final Pattern LOC = Pattern.compile("\\.loc\\s+(\\d+)\\s+(\\d+)\\s+\\d+(?:.*inlined_at\\s+(\\d+)\\s+"
            + "(\\d+).*)?");
    private static final Pattern DEBUG_LABEL = Pattern.compile("\\$L__(tmp|func_begin|func_end)\\d*:");

    /**
     * A line of a source.
     *
     * @param file path below {@code jdiffusion/kernels}
     * @param line from 1
     */
    public record Place(String file, int line) {
        @Override
        public String toString() {
            return file + ":" + line;
        }
    }

    /** A {@code .loc}: files by their number, the second place being where the first was inlined; 0 for none. */
    private record Mark(int file, int line, int outerFile, int outerLine) {
    }

    private final String hash;
    /** By number; empty for a file that is none of ours. */
    private final List<String> files;
    /** Before which lines of PTX what stands. */
    private final NavigableMap<Integer, List<Mark>> marks = new TreeMap<>();
    private final NavigableMap<Integer, List<Place>> places = new TreeMap<>();
    /** By file and line, the places of its latest mark. */
    private final Map<List<Integer>, List<Place>> latest = new HashMap<>();
    private List<Place> last = List.of();

    private LineTable(String hash, List<String> files) {
        this.hash = hash;
        this.files = files;
    }

    /**
     * The table of a PTX text.
     *
     * @param withLines what the compiler made of the same source with {@code -lineinfo}
     * @param ptx       must be the same but for that; lines are counted in this one
     * @param sources   whose places are wanted, by path below {@code jdiffusion/kernels}
     * @throws DeviceException when the two differ in an instruction
     */
    static LineTable of(String withLines, String ptx, Collection<String> sources) {
        LineTable table = new LineTable(Ptx.sha256(ptx), files(withLines, sources));
        List<String> lines = ptx.lines().toList();
        List<Mark> before = new ArrayList<>();
        int at = 0;
        for (Iterator<String> all = code(withLines).iterator(); all.hasNext();) {
            String line = all.next();
            Matcher loc = LOC.matcher(line.strip());
            if (loc.matches()) {
                before.add(new Mark(Integer.parseInt(loc.group(1)), Integer.parseInt(loc.group(2)),
                        loc.group(3) == null ? 0 : Integer.parseInt(loc.group(3)),
                        loc.group(4) == null ? 0 : Integer.parseInt(loc.group(4))));
                continue;
            }
            while (at < lines.size() && isEmpty(lines.get(at))) {
                at++;
            }
            if (at == lines.size() || !lines.get(at).equals(line)) {
                throw new DeviceException("-lineinfo changes the PTX: line %d is `%s` without it and `%s` with it"
                        .formatted(at + 1, at == lines.size() ? "" : lines.get(at).strip(), line.strip()));
            }
            at++;
            if (!before.isEmpty() && !line.endsWith(":")) {
                table.add(at, before);
                before.clear();
            }
        }
        if (lines.subList(at, lines.size()).stream().anyMatch(line -> !isEmpty(line))) {
            throw new DeviceException("-lineinfo changes the PTX: it ends before line " + (at + 1) + " `"
                    + lines.get(at).strip() + "`");
        }
        return table;
    }

    /** A compiler's output with {@code -lineinfo} as it would be without. */
    static String without(String withLines) {
        StringBuilder ptx = new StringBuilder();
        code(withLines).filter(line -> !line.strip().startsWith(".loc")).forEach(line -> ptx.append(line).append('\n'));
        return ptx.toString();
    }

    /** Without empty lines, remarks, names of files, and the sections of debugging data at the end. */
    private static Stream<String> code(String withLines) {
        boolean[] inSection = {false};
        return withLines.lines().filter(line -> {
            String text = line.strip();
            boolean inside = inSection[0] || text.startsWith(".section");
            inSection[0] = inside && !text.equals("}");
            return !inside && !isEmpty(text) && !text.startsWith(".file") && !DEBUG_LABEL.matcher(text).matches();
        });
    }

    private static boolean isEmpty(String line) {
        return line.isBlank() || line.startsWith("//");
    }

    private static List<String> files(String withLines, Collection<String> sources) {
        List<String> files = new ArrayList<>();
        withLines.lines().map(line -> FILE.matcher(line.strip())).filter(Matcher::matches).forEach(file -> {
            int number = Integer.parseInt(file.group(1));
            while (files.size() <= number) {
                files.add("");
            }
            String name = "/" + file.group(2).replace('\\', '/').replaceAll("/\\./", "/")
                    .replaceAll("/[^/]+/\\.\\./", "/");
            // NVRTC knows headers by no more than their names.
            String alone = name.substring(name.lastIndexOf('/'));
            files.set(number, Stream.of(name, alone).flatMap(known -> sources.stream().filter(source ->
                    known.endsWith("/" + source) || known.equals(alone) && source.endsWith(known)))
                    .findFirst().orElse(""));
        });
        return files;
    }

    /** Adds what changes the places of a line of PTX. */
    private void add(int ptxLine, List<Mark> before) {
        List<Mark> kept = new ArrayList<>();
        List<Place> now = last;
        for (Mark mark : before) {
            List<Place> found = resolve(mark);
            List<Place> known = latest.put(List.of(mark.file, mark.line), found);
            if (mark != before.getLast() ? !found.equals(known) : !kept.isEmpty() || !found.equals(last)) {
                kept.add(mark);
            }
            now = found;
        }
        if (!kept.isEmpty()) {
            marks.put(ptxLine, kept);
            places.put(ptxLine, now);
        }
        last = now;
    }

    /** Where a mark is, and where that was inlined, which an earlier mark is about, and so on. */
    private List<Place> resolve(Mark mark) {
        List<Place> chain = new ArrayList<>();
        String file = mark.file < files.size() ? files.get(mark.file) : "";
        if (!file.isEmpty() && mark.line > 0) {
            chain.add(new Place(file, mark.line));
        }
        if (mark.outerLine > 0) {
            chain.addAll(latest.getOrDefault(List.of(mark.outerFile, mark.outerLine), List.of()));
        }
        return List.copyOf(chain);
    }

    /** SHA-256 of the PTX text that it belongs to, in hexadecimal. */
    String hash() {
        return hash;
    }

    /**
     * The place that a line of PTX is of, then the one where that was inlined, and so on out to the kernel; empty where
     * the compiler names none.
     *
     * @param ptxLine from 1
     */
    public List<Place> at(int ptxLine) {
        Map.Entry<Integer, List<Place>> place = places.floorEntry(ptxLine);
        return place == null ? List.of() : place.getValue();
    }

    /** Compressed; {@link #unpack} is the way back. */
    byte[] pack() throws IOException {
        Map<Mark, Integer> numbers = new LinkedHashMap<>();
        marks.values().forEach(all -> all.forEach(mark -> numbers.putIfAbsent(mark, numbers.size())));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] head = (hash + "\n" + String.join("\n", files)).getBytes(StandardCharsets.UTF_8);
        put(out, head.length);
        out.writeBytes(head);
        // What is alike lies together, which compresses best.
        put(out, numbers.size());
        numbers.keySet().forEach(mark -> put(out, mark.file));
        numbers.keySet().forEach(mark -> put(out, mark.line));
        numbers.keySet().forEach(mark -> put(out, mark.outerFile));
        numbers.keySet().forEach(mark -> put(out, mark.outerLine));
        put(out, marks.size());
        int line = 0;
        for (int next : marks.keySet()) {
            put(out, next - line);
            line = next;
        }
        marks.values().forEach(all -> put(out, all.size()));
        marks.values().forEach(all -> all.forEach(mark -> put(out, numbers.get(mark))));
        return Ptx.compressed(out.toByteArray());
    }

    static LineTable unpack(byte[] packed) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Ptx.bytes(packed));
        byte[] head = new byte[get(in)];
        in.get(head);
        List<String> names = List.of(new String(head, StandardCharsets.UTF_8).split("\n", -1));
        LineTable table = new LineTable(names.getFirst(), names.subList(1, names.size()));
        int[][] columns = new int[4][];
        int count = get(in);
        for (int column = 0; column < columns.length; column++) {
            columns[column] = numbers(in, count);
        }
        int[] steps = numbers(in, get(in));
        int[] sizes = numbers(in, steps.length);
        int line = 0;
        for (int i = 0; i < steps.length; i++) {
            List<Mark> before = new ArrayList<>();
            for (int number : numbers(in, sizes[i])) {
                before.add(new Mark(columns[0][number], columns[1][number], columns[2][number], columns[3][number]));
            }
            line += steps[i];
            table.add(line, before);
        }
        return table;
    }

    private static int[] numbers(ByteBuffer in, int count) {
        int[] numbers = new int[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = get(in);
        }
        return numbers;
    }

    /** Seven bits in each byte, the least first. */
    private static void put(ByteArrayOutputStream out, int number) {
        int rest = number;
        for (; rest >= 0x80; rest >>>= 7) {
            out.write(rest & 0x7f | 0x80);
        }
        out.write(rest);
    }

    private static int get(ByteBuffer in) {
        int number = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = in.get();
            number |= (next & 0x7f) << shift;
            if (next >= 0) {
                return number;
            }
        }
    }
}
