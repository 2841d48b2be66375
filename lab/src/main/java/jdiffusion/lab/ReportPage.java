package jdiffusion.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.emulator.Card;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters.Line;
import jdiffusion.emulator.SharedArray;
import jdiffusion.emulator.SharedRequest;
import jdiffusion.lab.PtxPlaces.Place;

/** A page about kernels that have run: one file that needs no network. */
public final class ReportPage {
    private static final String TEMPLATE = "report.html";
    private static final String SHARED = "/*SHARED*/";
    private static final String SOURCE = "/*SOURCE*/";
    private static final String DATA = "/*DATA*/null";

    private final ObjectNode data = new ObjectMapper().createObjectNode();
    private final ArrayNode kernels;
    private final ArrayNode files;
    private final ArrayNode chains;
    private final Map<String, Integer> fileNumbers = new HashMap<>();
    private final Map<List<Place>, Integer> chainNumbers = new HashMap<>();

    /**
     * @param program what has run
     * @param asked   the launches as they were asked for; empty where the program launches kernels itself
     * @param checked whether races were looked for
     */
    public ReportPage(String program, List<String> asked, boolean checked) {
        data.put("program", program).put("checked", checked);
        ArrayNode launches = data.putArray("launches");
        asked.forEach(launches::add);
        files = data.putArray("files");
        chains = data.putArray("chains");
        ArrayNode cards = data.putArray("cards");
        for (Card card : Card.ALL) {
            cards.addObject().put("name", card.name()).put("tensor", card.tensorFlops())
                    .put("memory", card.memoryBytesPerSecond())
                    .put("issue", card.clockHz() * Card.SCHEDULERS * card.multiprocessors());
        }
        kernels = data.putArray("kernels");
    }

    /** What ended the launches early. */
    public void fault(String message) {
        data.put("fault", message);
    }

    /** Adds a kernel, with where its PTX comes from. */
    public void add(KernelCounters counters, PtxPlaces places) {
        ObjectNode json = kernels.addObject().put("name", counters.kernel()).put("launches", counters.launches())
                .put("blocks", counters.blocks());
        ObjectNode metrics = json.putObject("metrics");
        for (Metric metric : Metric.values()) {
            metrics.put(metric.label(), metric.of(counters));
        }
        metrics.put("active-lanes", Math.round(100 * counters.activeLanes()) / 100.0);
        ObjectNode mix = json.putObject("mix");
        for (InstructionClass kind : InstructionClass.values()) {
            mix.put(kind.name().toLowerCase(Locale.ROOT), counters.instructions(kind));
        }
        ArrayNode lines = json.putArray("lines");
        for (Line line : counters.lines().values()) {
            if (line.executions == 0) {
                continue;
            }
            ObjectNode one = lines.addObject().put("line", line.line).put("text", line.text.strip())
                    .put("chain", chain(places, line.line)).put("warps", line.executions).put("lanes", line.lanes)
                    .put("partings", line.partings).put("requests", line.traffic.globalRequests)
                    .put("sectors", line.traffic.globalSectors).put("ideal", line.traffic.globalIdealSectors)
                    .put("shared", line.traffic.sharedRequests).put("conflicts", line.traffic.sharedConflictCycles);
            if (line.openings > 0) {
                one.put("openings", line.openings).put("toBarrier", line.instructionsToBarrier)
                        .put("slowest", line.slowestToBarrier);
            }
        }
        counters.lines().values().stream().filter(line -> line.worst != null)
                .max(Comparator.comparingLong(line -> line.traffic.sharedConflictCycles))
                .filter(line -> line.worst.conflicts() > 0)
                .ifPresent(worst -> json.set("worst", worst(counters, worst).put("chain", chain(places, worst.line))));
    }

    /** The number of the places of a line of PTX, as far as their files are shown; -1 for none. */
    private int chain(PtxPlaces places, int ptxLine) {
        List<Place> shown = places.at(ptxLine).stream().filter(place -> place.line() > 0
                && place.line() <= places.text(place.file()).size()).toList();
        if (shown.isEmpty()) {
            return -1;
        }
        return chainNumbers.computeIfAbsent(shown, _ -> {
            ArrayNode chain = chains.addArray();
            shown.forEach(place -> chain.addArray().add(file(places, place.file())).add(place.line()));
            return chains.size() - 1;
        });
    }

    private int file(PtxPlaces places, String name) {
        return fileNumbers.computeIfAbsent(name, _ -> {
            ArrayNode text = files.addObject().put("name", name).putArray("text");
            places.text(name).forEach(text::add);
            return files.size() - 1;
        });
    }

    private static ObjectNode worst(KernelCounters counters, Line line) {
        SharedRequest request = line.worst;
        SharedArray array = array(counters, request);
        List<SharedRequest> others = counters.lines().values().stream().filter(other -> other != line)
                .map(other -> other.worst).filter(other -> other != null && array(counters, other).equals(array)
                        && overlap(other, request)).toList();
        ObjectNode json = new ObjectMapper().createObjectNode().put("line", line.line).put("text", line.text.strip())
                .put("array", Names.variable(array.name())).put("requests", line.traffic.sharedRequests)
                .put("conflicts", line.traffic.sharedConflictCycles)
                .put("others", others.size())
                .put("othersConflicts", others.stream().mapToInt(SharedRequest::conflicts).sum());
        json.set("now", layout(request, request.addresses(), request.bytes(), request.conflicts()));
        ArrayNode remedies = json.putArray("remedies");
        for (BankRemedy remedy : BankRemedy.of(request, others, array.offset())) {
            ObjectNode other = layout(request, BankRemedy.placed(request, remedy.place()), remedy.bytes(),
                    remedy.conflicts());
            remedies.add(other.put("text", remedy.text()).put("others", remedy.others()));
        }
        return json;
    }

    /** The array of shared memory that a request goes to; the whole where none is known. */
    private static SharedArray array(KernelCounters counters, SharedRequest request) {
        long at = least(request);
        return counters.sharedArrays().stream().filter(array -> at >= array.offset()
                && (array.bytes() == 0 || at < array.offset() + array.bytes()))
                .max(Comparator.comparingInt(SharedArray::offset)).orElse(new SharedArray("", 0, 0));
    }

    private static long least(SharedRequest request) {
        long least = Long.MAX_VALUE;
        for (int rest = request.mask(); rest != 0; rest &= rest - 1) {
            least = Math.min(least, request.addresses()[Integer.numberOfTrailingZeros(rest)]);
        }
        return least;
    }

    private static long most(SharedRequest request) {
        long most = 0;
        for (int rest = request.mask(); rest != 0; rest &= rest - 1) {
            most = Math.max(most, request.addresses()[Integer.numberOfTrailingZeros(rest)]);
        }
        return most;
    }

    private static boolean overlap(SharedRequest a, SharedRequest b) {
        return least(a) <= most(b) && least(b) <= most(a);
    }

    /** The first word of each lane; -1 for lanes that take no part. */
    private static ObjectNode layout(SharedRequest request, long[] addresses, int bytes, int conflicts) {
        ObjectNode json = new ObjectMapper().createObjectNode().put("conflicts", conflicts).put("bytes", bytes);
        ArrayNode words = json.putArray("words");
        for (int lane = 0; lane < addresses.length; lane++) {
            words.add((request.mask() >>> lane & 1) == 0 ? -1 : addresses[lane] >> 2);
        }
        return json;
    }

    /** Writes the page; where that fails, nothing is left behind. */
    public void write(Path output) {
        try {
            // No text in the data can end the script.
            String json = data.toString().replace("<", "\\u003c");
            WholeFile.write(output, resource(TEMPLATE).replace(SHARED, resource("shared.js"))
                    .replace(SOURCE, resource("source.js")).replace(DATA, json).getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw LabException.misuse(output + ": cannot be written (" + e.getMessage() + ")",
                    new UncheckedIOException(e));
        }
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = ReportPage.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
