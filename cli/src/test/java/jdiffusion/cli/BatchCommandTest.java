package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Draws tables with the small model. */
class BatchCommandTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private Cli batch(Map<String, String> environment, Object... args) {
        List<Object> all = new ArrayList<>(List.of("batch", "-W", 64, "-H", 64, "--steps", 2, "--device", "cpu"));
        all.addAll(1, List.of(args));
        return Cli.with(environment, all.toArray());
    }

    private Cli batch(Object... args) {
        return batch(Map.of("XDG_CACHE_HOME", folder.resolve("cache").toString()), args);
    }

    private Path table(String name, String... lines) throws IOException {
        return Files.writeString(folder.resolve(name), String.join("\n", lines) + "\n");
    }

    private static List<JsonNode> manifest(Path out, String name) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(out.resolve(name))) {
            lines.add(JSON.readTree(line));
        }
        return lines;
    }

    /** All pictures below a folder, by their names. */
    private static Map<String, byte[]> pictures(Path out) throws IOException {
        Map<String, byte[]> all = new TreeMap<>();
        try (Stream<Path> files = Files.walk(out.resolve("images"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                all.put(out.relativize(file).toString(), Files.readAllBytes(file));
            }
        }
        return all;
    }

    private static void assertSame(Map<String, byte[]> a, Map<String, byte[]> b) {
        assertThat(a.keySet()).isEqualTo(b.keySet());
        a.forEach((name, bytes) -> assertThat(bytes).as(name).isEqualTo(b.get(name)));
    }

    @Test
    void picturesAreThoseOfGenerate() throws IOException {
        Path out = folder.resolve("out");
        Cli run = batch(table("t.jsonl", "{\"prompt\": \"a red circle\", \"seed\": 7, \"negative_prompt\": \"blue\"}",
                "{\"prompt\": \"a square\", \"seed\": 8, \"steps\": 3}"), "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith("2 pictures drawn, 0 there before, 0 failed"));
        List<JsonNode> lines = manifest(out, "manifest.jsonl");
        for (int i = 0; i < 2; i++) {
            Path one = folder.resolve(i + ".png");
            List<Object> args = new ArrayList<>(List.of("generate", lines.get(i).get("prompt").textValue(), "-s",
                    7 + i, "-W", 64, "-H", 64, "--steps", 2 + i, "-o", one));
            if (i == 0) {
                args.addAll(List.of("-n", "blue"));
            }
            assertThat(Cli.run(args.toArray()).code()).isZero();
            assertThat(out.resolve(lines.get(i).get("file").textValue())).hasSameBinaryContentAs(one);
            assertThat(lines.get(i).get("bytes").longValue()).isEqualTo(Files.size(one));
        }
    }

    @Test
    void shardsBatchesAndResumingChangeNoByte() throws IOException {
        String[] rows = new String[7];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = "{\"prompt\": \"{a|the} circle\", \"steps\": " + (i == 3 ? 1 : 2) + ", \"number\": " + i
                    + (i == 5 ? ", \"images\": 2" : "") + ", \"seed\": " + i + "}";
        }
        Path table = table("t.jsonl", rows);
        Path alone = folder.resolve("alone");
        assertThat(batch(table, "-o", alone, "--batch-size", 1).code()).isZero();
        Path together = folder.resolve("together");
        assertThat(batch(table, "-o", together, "--batch-size", 3).code()).isZero();
        assertSame(pictures(together), pictures(alone));
        Path shards = folder.resolve("shards");
        for (int i = 0; i < 2; i++) {
            assertThat(batch(Map.of("JOB_COMPLETION_INDEX", Integer.toString(i)), table, "-o", shards, "--shard",
                    "auto/2").code()).isZero();
        }
        assertSame(pictures(shards), pictures(alone));
        List<JsonNode> first = manifest(shards, "manifest-00000-of-00002.jsonl");
        assertThat(first.stream().map(line -> line.get("number").intValue())).containsExactly(0, 2, 4, 6);
        // One picture is gone: it alone is drawn again.
        String gone = manifest(alone, "manifest.jsonl").get(2).get("file").textValue();
        String before = Files.readString(alone.resolve("manifest.jsonl"));
        Files.delete(alone.resolve(gone));
        Cli again = batch(table, "-o", alone, "--resume");
        assertThat(again.err()).anyMatch(line -> line.startsWith("1 picture drawn, 7 there before, 0 failed"));
        assertSame(pictures(alone), pictures(together));
        assertThat(Files.readString(alone.resolve("manifest.jsonl")).replaceAll("\"seconds\":[0-9.]+", ""))
                .isEqualTo(before.replaceAll("\"seconds\":[0-9.]+", ""));
    }

    @Test
    void badRowsAreNamedAndTheRestGoesOn() throws IOException {
        Path out = folder.resolve("out");
        Path table = table("t.jsonl", "{\"promt\": \"x\"}", "{\"prompt\": \"x\", \"steps\": \"many\"}",
                "{\"prompt\": \"x\", \"width\": 99999}", "{broken", "{\"prompt\": \"fine\"}",
                "{\"prompt\": \"x\", \"init\": \"none.png\"}", "{\"prompt\": \"x\", \"model\": \"none\"}",
                "{\"prompt\": \"<lora:none>\", \"images\": 3}",
                "{\"prompt\": \"x\", \"sampler\": \"best\"}");
        Cli run = batch(table, "-o", out);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("note: the column 'promt' only passes through; is 'prompt' meant?",
                "line 1: the prompt is missing");
        for (int line : new int[] {2, 3, 4, 6, 7, 8, 9}) {
            int number = line;
            assertThat(run.err()).filteredOn(text -> text.startsWith("line " + number + ": ")).hasSize(1);
        }
        assertThat(run.err()).anyMatch(line -> line.startsWith("1 picture drawn, 0 there before, 10 failed"));
        assertThat(manifest(out, "manifest.jsonl")).hasSize(11).filteredOn(line -> line.get("error").isNull())
                .hasSize(1);
        Cli strict = batch(table, "-o", folder.resolve("strict"), "--strict");
        assertThat(strict.code()).isEqualTo(2);
        assertThat(strict.err()).contains("jdiffusion: line 1: the prompt is missing");
        Cli repeated = batch(table, "-o", out);
        assertThat(repeated.code()).isEqualTo(2);
        assertThat(repeated.err()).anyMatch(line -> line.contains("--resume"));
    }

    @Test
    void rowsOfSeveralModels() throws IOException {
        Path shapes = Path.of("../models/shapes").toAbsolutePath().normalize();
        String row = "{\"prompt\": \"a circle\", \"seed\": 3, \"model\": \"" + shapes + "\"}";
        String usual = "{\"prompt\": \"a circle\", \"seed\": 3}";
        Path out = folder.resolve("out");
        Cli run = batch(table("t.jsonl", row, usual, row, usual), "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        // One model under two names is one picture.
        assertThat(pictures(out)).hasSize(1);
        assertThat(manifest(out, "manifest.jsonl")).hasSize(4);
    }

    @Test
    void optionsOfOnePictureAreColumns() throws IOException {
        Path table = table("t.jsonl", "{\"prompt\": \"x\"}");
        for (Object[] wrong : new Object[][] {{"--init-img", table}, {"--mask-blur", 3}, {"--hires", "2"},
                {"--control-image", table}, {"--shard", "2/2"}, {"--batch-size", 0}, {"--format", "gif"},
                {"--quality", 50}, {"--wildcards", table}, {"--seed", "random"}, {"--shard", "auto/2"}}) {
            List<Object> args = new ArrayList<>(List.of(table, "-o", folder.resolve("none")));
            args.addAll(List.of(wrong));
            Cli run = batch(args.toArray());
            assertThat(run.code()).as(wrong[0].toString()).isEqualTo(2);
            assertThat(run.err()).as(wrong[0].toString()).hasSize(1);
        }
        assertThat(folder.resolve("none/images")).doesNotExist();
    }

    @Test
    void webDatasetAndJpeg() throws IOException {
        Path out = folder.resolve("out");
        Cli run = batch(table("t.csv", "prompt,seed,caption", "\"a circle, red\",3,mine", "a square,4,"), "-o", out,
                "--format", "jpeg", "--webdataset", 1, "--json");
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(JSON.readTree(run.out()).get("drawn").intValue()).isEqualTo(2);
        List<JsonNode> lines = manifest(out, "manifest.jsonl");
        try (InputStream in = Files.newInputStream(out.resolve("shards/000000.tar"));
                TarArchiveInputStream tar = new TarArchiveInputStream(in)) {
            Map<String, byte[]> entries = new TreeMap<>();
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                entries.put(entry.getName(), tar.readAllBytes());
            }
            assertThat(entries).containsOnlyKeys("000000000-000.jpg", "000000000-000.txt", "000000000-000.json");
            assertThat(entries.get("000000000-000.txt")).asString().isEqualTo("a circle, red");
            assertThat(JSON.readTree(entries.get("000000000-000.json"))).isEqualTo(lines.getFirst());
            assertThat(entries.get("000000000-000.jpg")).isEqualTo(Files.readAllBytes(out.resolve(
                    lines.getFirst().get("file").textValue())));
        }
        assertThat(lines.getFirst().get("caption").textValue()).isEqualTo("mine");
        assertThat(out.resolve("shards/000001.tar")).exists();
    }
}
