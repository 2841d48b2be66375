package jdiffusion.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.emulator.Card;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters.Line;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kernel report}: what launches did, as a page. */
@Command(name = "report", mixinStandardHelpOptions = true,
        header = "Writes a page about kernels: source and PTX with their cost, memory, limits of cards, faults.",
        description = "One file that needs no network. The numbers are counts, not times, and the same on every machine.",
        footerHeading = "%nExample:%n", footer = {
            "  jdiffusion kernel report saxpy.cu --launch \"saxpy<<<64,256>>>(16384, 2.0, rand(16384), zeros(16384))\""
                + " -o report.html"})
final class ReportCommand implements Callable<Integer> {
    private static final String TEMPLATE = "report.html";
    private static final String DATA = "/*DATA*/null";

    @Mixin
    private LaunchOptions options;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", defaultValue = "report.html",
            description = "The page. Default: report.html.")
    private Path output;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<Launch> launches = options.parsed();
        LabProgram program = options.program();
        SourceMap source = SourceMap.of(program);
        LabException fault = null;
        ObjectNode data = new ObjectMapper().createObjectNode().put("program", program.file().getFileName().toString())
                .put("checked", options.check).put("sourceFile", source.file());
        ArrayNode asked = data.putArray("launches");
        launches.forEach(launch -> asked.add(launch.text()));
        ArrayNode text = data.putArray("source");
        source.text().forEach(text::add);
        ArrayNode cards = data.putArray("cards");
        for (Card card : Card.ALL) {
            cards.addObject().put("name", card.name()).put("tensor", card.tensorFlops())
                    .put("memory", card.memoryBytesPerSecond())
                    .put("issue", card.clockHz() * Card.SCHEDULERS * card.multiprocessors());
        }
        ArrayNode kernels = data.putArray("kernels");
        try (Session session = options.session(program, true, spec.commandLine().getOut()::print)) {
            try {
                launches.forEach(session::run);
            } catch (LabException e) {
                if (e.isMisuse()) {
                    throw e;
                }
                fault = e;
                data.put("fault", e.getMessage());
            }
            session.counters().values().forEach(counters -> kernels.add(kernel(counters, source)));
        }
        write(data);
        spec.commandLine().getOut().println("wrote " + output);
        spec.commandLine().getOut().flush();
        if (fault != null) {
            throw fault;
        }
        return 0;
    }

    private static ObjectNode kernel(KernelCounters counters, SourceMap source) {
        ObjectNode json = new ObjectMapper().createObjectNode().put("name", counters.kernel())
                .put("launches", counters.launches()).put("blocks", counters.blocks());
        ObjectNode metrics = json.putObject("metrics");
        for (Metric metric : Metric.values()) {
            metrics.put(metric.label(), metric.of(counters));
        }
        ObjectNode mix = json.putObject("mix");
        for (InstructionClass kind : InstructionClass.values()) {
            mix.put(kind.name().toLowerCase(Locale.ROOT), counters.instructions(kind));
        }
        ArrayNode lines = json.putArray("lines");
        for (Line line : counters.lines().values()) {
            lines.addObject().put("line", line.line).put("text", line.text.strip()).put("source",
                    source.source(line.line)).put("warps", line.executions)
                    .put("requests", line.traffic.globalRequests).put("sectors", line.traffic.globalSectors)
                    .put("ideal", line.traffic.globalIdealSectors).put("shared", line.traffic.sharedRequests)
                    .put("conflicts", line.traffic.sharedConflictCycles);
        }
        return json;
    }

    private void write(ObjectNode data) {
        try (InputStream in = ReportCommand.class.getResourceAsStream(TEMPLATE)) {
            String page = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            // No text in the data can end the script.
            String json = data.toString().replace("<", "\\u003c");
            Path beside = output.resolveSibling(output.getFileName() + ".part");
            try {
                Files.writeString(beside, page.replace(DATA, json));
                Files.move(beside, output, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(beside);
            }
        } catch (IOException e) {
            throw LabException.misuse(output + ": cannot be written (" + e.getMessage() + ")",
                    new UncheckedIOException(e));
        }
    }
}
