package jdiffusion.model.experiment;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Run;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.sites.Intervene;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;

/**
 * A grid of interventions and options over prompts and seeds. Each cell is compared with the plain picture of its
 * prompt and seed. What is done is in {@code results.jsonl}, a line a cell, and is not done again.
 *
 * @param axes    whose settings are combined each with each; none of them for the plain picture alone
 * @param prompts one row of the grid for each, and seed
 * @param text    the settings of a request in words: with them a cell is the same cell
 * @param folder  for results.jsonl, the pictures, sheet.png and index.html
 */
public record Sweep(Pipeline pipeline, GenerationRequest base, List<SweepAxis> axes, List<String> prompts,
                    List<Long> seeds, Function<GenerationRequest, String> text, Path folder) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String RESULTS = "results.jsonl";
    private static final String PLAIN = "plain";
    private static final int MOST_CELLS = 100_000;

    /** One cell that is done, as its line in the results. */
    record Cell(String prompt, long seed, List<String> labels, String file, double psnr, double ssim,
                double cosine) {
        String label() {
            return labels.isEmpty() ? PLAIN : String.join(", ", labels);
        }

        /** Its place on the last axis, which goes from left to right. */
        String column() {
            return labels.isEmpty() ? PLAIN : labels.getLast();
        }

        /** Its row on sheet and page: prompt, seed, and the places on the other axes. */
        String row() {
            List<String> parts = new ArrayList<>(List.of(prompt, "seed " + Long.toUnsignedString(seed)));
            parts.addAll(labels.subList(0, Math.max(0, labels.size() - 1)));
            return String.join(", ", parts);
        }
    }

    /** A prompt and a seed. */
    private record Row(String prompt, long seed) {
    }

    /** Does what is not done yet, and writes sheet and page of all. */
    public void run(Progress progress, Consumer<String> told) {
        List<List<SweepAxis.Setting>> grid = grid();
        if ((long) grid.size() * prompts.size() * seeds.size() > MOST_CELLS) {
            throw new InputException("the sweep has more than " + MOST_CELLS + " cells; vary less");
        }
        checkAll(grid);
        Map<String, JsonNode> done = done();
        List<List<Cell>> rows = new ArrayList<>();
        int[] next = {done.values().stream().mapToInt(node -> number(node.get("file").textValue())).max().orElse(0)};
        for (String prompt : prompts) {
            for (long seed : seeds) {
                rows.addAll(lines(row(new Row(prompt, seed), grid, done, next, progress, told)));
            }
        }
        List<List<Picture>> pictures = new ArrayList<>();
        for (List<Cell> row : rows) {
            pictures.add(row.stream().map(cell -> PictureFile.read(folder.resolve(cell.file))).toList());
        }
        write("index.html", SweepPage.of(rows, pictures).getBytes(StandardCharsets.UTF_8));
        Picture first = pictures.getFirst().getFirst();
        List<List<Picture>> equal = pictures.stream().map(row -> row.stream().map(picture ->
                picture.width() == first.width() && picture.height() == first.height() ? picture
                        : picture.resized(first.width(), first.height())).toList()).toList();
        write("sheet.png", Png.encode(ContactSheet.of(equal), ContactSheet.texts(
                rows.getFirst().stream().map(Cell::column).toList(),
                rows.stream().map(row -> row.getLast().row()).toList())));
        told.accept("wrote " + folder.resolve("index.html") + ", sheet.png and " + RESULTS);
    }

    /** All of a prompt and seed in lines, one for each place on the axes but the last; each begins with the plain one. */
    private List<List<Cell>> lines(List<Cell> cells) {
        int columns = axes.isEmpty() ? 1 : axes.getLast().settings().size();
        List<List<Cell>> lines = new ArrayList<>();
        for (int at = 1; at < cells.size(); at += columns) {
            List<Cell> line = new ArrayList<>(List.of(cells.getFirst()));
            line.addAll(cells.subList(at, at + columns));
            lines.add(line);
        }
        return lines.isEmpty() ? List.of(cells) : lines;
    }

    /** Of a picture's file; 0 for none of ours. */
    private static int number(String file) {
        return file.matches("\\d{5,9}\\.png") ? Integer.parseInt(file.substring(0, file.length() - 4)) : 0;
    }

    /** All combinations, one setting of each axis. */
    private List<List<SweepAxis.Setting>> grid() {
        List<List<SweepAxis.Setting>> grid = List.of(List.of());
        for (SweepAxis axis : axes) {
            List<List<SweepAxis.Setting>> longer = new ArrayList<>();
            for (List<SweepAxis.Setting> some : grid) {
                for (SweepAxis.Setting setting : axis.settings()) {
                    List<SweepAxis.Setting> more = new ArrayList<>(some);
                    more.add(setting);
                    longer.add(more);
                }
            }
            if (longer.size() > MOST_CELLS) {
                throw new InputException("the sweep has more than " + MOST_CELLS + " cells; vary less");
            }
            grid = longer;
        }
        return axes.isEmpty() ? List.of() : grid;
    }

    private GenerationRequest request(Row row, List<SweepAxis.Setting> settings) {
        GenerationRequest.Builder builder = base.toBuilder().prompt(row.prompt).seed(row.seed).images(1);
        for (SweepAxis.Setting setting : settings) {
            builder = setting.change().apply(builder);
        }
        return builder.build();
    }

    private static List<Intervene> interventions(List<SweepAxis.Setting> settings) {
        return settings.stream().flatMap(setting -> setting.interventions().stream()).toList();
    }

    /** Before the first cell is drawn, that none of them asks for what is not there. */
    private void checkAll(List<List<SweepAxis.Setting>> grid) {
        for (String prompt : prompts) {
            for (List<SweepAxis.Setting> settings : grid) {
                GenerationRequest request = request(new Row(prompt, seeds.getFirst()), settings);
                pipeline.check(request);
                if (!interventions(settings).isEmpty()) {
                    pipeline.experiments().check(request, interventions(settings));
                }
            }
        }
    }

    private List<Cell> row(Row row, List<List<SweepAxis.Setting>> grid, Map<String, JsonNode> done, int[] next,
                           Progress progress, Consumer<String> told) {
        List<Cell> cells = new ArrayList<>();
        Run plain = null;
        Cell first = known(row, List.of(), done);
        boolean all = first != null && grid.stream().allMatch(settings -> known(row, settings, done) != null);
        if (!all) {
            // The latents of the plain picture are compared with, so a row that is not whole begins with it.
            plain = pipeline.generate(request(row, List.of()), List.of(), progress);
        }
        cells.add(first != null ? first : keep(row, List.of(), plain, plain, ++next[0]));
        for (List<SweepAxis.Setting> settings : grid) {
            Cell cell = known(row, settings, done);
            if (cell == null) {
                Run run = pipeline.generate(request(row, settings), interventions(settings), progress);
                cell = keep(row, settings, run, plain, ++next[0]);
                told.accept(String.format(Locale.ROOT, "%s: PSNR %.2f dB, SSIM %.4f, latent cosine %.4f (%s)",
                        cell.label(), cell.psnr, cell.ssim, cell.cosine, cell.file));
            }
            cells.add(cell);
        }
        return cells;
    }

    private static List<String> labels(List<SweepAxis.Setting> settings) {
        return settings.stream().map(SweepAxis.Setting::label).toList();
    }

    /** What a cell is known by: all settings of its picture, and its interventions. */
    private String key(Row row, List<SweepAxis.Setting> settings) {
        return row.prompt + "\n" + text.apply(request(row, settings)) + "\n" + String.join("\n", labels(settings));
    }

    private Cell known(Row row, List<SweepAxis.Setting> settings, Map<String, JsonNode> done) {
        JsonNode node = done.get(key(row, settings));
        return node == null ? null : new Cell(row.prompt, row.seed, labels(settings), node.get("file").textValue(),
                value(node, "psnr", Double.POSITIVE_INFINITY), value(node, "ssim", Double.NaN),
                value(node, "latent_cosine", Double.NaN));
    }

    /** @param none what JSON has no number for: an infinite PSNR, or else what is not a number */
    private static double value(JsonNode node, String name, double none) {
        return node.path(name).isNumber() ? node.get(name).doubleValue() : none;
    }

    private Cell keep(Row row, List<SweepAxis.Setting> settings, Run run, Run plain, int number) {
        Picture picture = run.pictures().getFirst();
        Picture usual = plain.pictures().getFirst();
        PictureError error = PictureError.of(usual, picture);
        double cosine = run.latents().length == plain.latents().length
                ? PictureError.cosine(run.latents(), plain.latents()) : Double.NaN;
        String file = String.format(Locale.ROOT, "%05d.png", number);
        Cell cell = new Cell(row.prompt, row.seed, labels(settings), file, error.psnr(), error.ssim(), cosine);
        String drawn = text.apply(request(row, settings));
        write(file, Png.encode(picture, settings.stream().allMatch(setting -> setting.interventions().isEmpty())
                ? Map.of(Infotext.KEYWORD, drawn)
                : Interventions.texts(cell.label(), drawn)));
        ObjectNode line = JSON.createObjectNode().put("key", key(row, settings)).put("prompt", row.prompt)
                .put("seed", Long.toUnsignedString(row.seed)).put("file", file);
        cell.labels.forEach(line.withArray("settings")::add);
        put(line, "psnr", cell.psnr);
        put(line, "ssim", cell.ssim);
        put(line, "latent_cosine", cell.cosine);
        append(line);
        return cell;
    }

    private static void put(ObjectNode line, String name, double value) {
        if (Double.isFinite(value)) {
            line.put(name, value);
        } else {
            line.putNull(name);
        }
    }

    /** Lines of earlier runs whose pictures are there, by their keys. A line that was cut short is left out. */
    private Map<String, JsonNode> done() {
        Map<String, JsonNode> done = new LinkedHashMap<>();
        Path results = folder.resolve(RESULTS);
        if (!Files.exists(results)) {
            return done;
        }
        try {
            for (String line : Files.readAllLines(results)) {
                JsonNode node = parsed(line);
                if (node != null && node.path("key").isTextual() && node.path("file").isTextual()
                        && Files.isRegularFile(folder.resolve(node.get("file").textValue()))) {
                    done.put(node.get("key").textValue(), node);
                }
            }
        } catch (IOException e) {
            throw new InputException(results + ": cannot be read (" + e.getMessage() + ")", e);
        }
        StringBuilder whole = new StringBuilder();
        done.values().forEach(node -> whole.append(node).append('\n'));
        write(RESULTS, whole.toString().getBytes(StandardCharsets.UTF_8));
        return done;
    }

    private static JsonNode parsed(String line) {
        try {
            return JSON.readTree(line);
        } catch (JacksonException e) {
            return null;
        }
    }

    private void append(ObjectNode line) {
        try {
            Files.writeString(folder.resolve(RESULTS), line + "\n", StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new InputException(folder.resolve(RESULTS) + ": cannot be written (" + e.getMessage() + ")", e);
        }
    }

    private void write(String name, byte[] bytes) {
        OutputFile.write(folder.resolve(name), channel -> OutputFile.put(channel, ByteBuffer.wrap(bytes)));
    }
}
