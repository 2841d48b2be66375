package jdiffusion.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import jdiffusion.batch.BatchRun;
import jdiffusion.batch.FolderStore;
import jdiffusion.batch.Outcome;
import jdiffusion.batch.Painter;
import jdiffusion.batch.PromptTable;
import org.apache.spark.ExecutorLostFailure;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a standalone cluster of processes, of which one worker is lost in the middle. */
class ClusterTest {
    private static final String SHAPES = Path.of("../models/shapes").toAbsolutePath().normalize().toString();
    private static final int TASKS = 4;
    private static final int ROWS = 12;

    @TempDir
    private static Path folder;
    private static Cluster cluster;
    private static SparkSession spark;

    @BeforeAll
    static void start() throws IOException {
        cluster = new Cluster(Files.createDirectory(folder.resolve("cluster")), 2);
        spark = SparkSession.builder().master(cluster.url()).appName("test")
                .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.ui.enabled", false).config("spark.jars", cluster.job().toString())
                .config("spark.local.dir", folder.resolve("driver").toString())
                .config("spark.sql.warehouse.dir", folder.resolve("warehouse").toString())
                // What is fetched from the lost executor fails soon.
                .config("spark.network.timeout", "30s").config("spark.executor.heartbeatInterval", "2s")
                .config("spark.network.timeoutInterval", "1s")
                .config("spark.shuffle.io.retryWait", "100ms")
                .config("spark.executor.memory", "900m").config("spark.executor.cores", 1)
                .config("spark.executor.extraJavaOptions", "--add-modules=jdk.incubator.vector"
                        + " --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC").getOrCreate();
    }

    @AfterAll
    static void stop() {
        try {
            if (spark != null) {
                spark.stop();
            }
        } finally {
            if (cluster != null) {
                cluster.close();
            }
        }
    }

    /** Kills the worker of the executor that gets its second task of pictures, and counts tasks that were lost. */
    private static final class Killer extends SparkListener {
        final AtomicReference<String> killed = new AtomicReference<>();
        final AtomicInteger lost = new AtomicInteger();
        private final Map<String, AtomicInteger> started = new ConcurrentHashMap<>();
        private final Set<Integer> drawing = ConcurrentHashMap.newKeySet();

        @Override
        public void onStageSubmitted(SparkListenerStageSubmitted stage) {
            if (stage.stageInfo().numTasks() == TASKS) {
                drawing.add(stage.stageInfo().stageId());
            }
        }

        @Override
        public void onTaskStart(SparkListenerTaskStart start) {
            String executor = start.taskInfo().executorId();
            if (drawing.contains(start.stageId())
                    && started.computeIfAbsent(executor, _ -> new AtomicInteger()).incrementAndGet() == 2
                    && killed.compareAndSet(null, executor)) {
                cluster.kill(executor);
            }
        }

        @Override
        public void onTaskEnd(SparkListenerTaskEnd end) {
            if (end.reason() instanceof ExecutorLostFailure) {
                lost.incrementAndGet();
            }
        }
    }

    private static List<String> table() {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            lines.add("{\"id\": \"p" + i + "\", \"prompt\": \"a red circle number " + i + "\", \"width\": 64,"
                    + " \"height\": 64, \"steps\": 2, \"note\": \"n" + i + "\"" + (i % 2 == 0 ? "" : ", \"seed\": " + i)
                    + "}");
        }
        // The same picture once more, a row without a prompt, a broken one, and one of two pictures.
        lines.set(3, lines.get(7));
        lines.set(4, "{\"id\": \"empty\", \"width\": 64}");
        lines.set(5, "{\"prompt\": ");
        lines.set(6, lines.get(6).replace("{", "{\"images\": 2, "));
        return lines;
    }

    /** What {@code batch} makes of the table. */
    private static List<Outcome> batch(Path table, Path root) {
        List<Outcome> outcomes = new ArrayList<>();
        try (PromptTable rows = PromptTable.open(table);
                Painter painter = ModelOpening.open(Settings.of(SHAPES, "unused"), "cpu", 2)) {
            new BatchRun(painter, new FolderStore(root, ""), false).run(rows, (_, _, _) -> null, outcomes::add,
                    () -> { });
        }
        return outcomes;
    }

    private static List<Path> files(Path root) throws IOException {
        try (var files = Files.walk(root)) {
            return files.filter(Files::isRegularFile).map(root::relativize).sorted().toList();
        }
    }

    private static int run(StringWriter said, String... args) {
        PrintWriter writer = new PrintWriter(said, true);
        return Main.run(writer, writer, args);
    }

    /** Every row is there once, in bytes that are those of {@code batch}; going on draws nothing. */
    @Test
    void losesAWorkerAndNoRow() throws Exception {
        Path table = Files.write(folder.resolve("prompts.jsonl"), table());
        Path out = folder.resolve("out");
        String[] line = {table.toUri().toString(), "-o", out.toUri().toString(), "-m", SHAPES, "--device", "cpu",
            "--partitions", Integer.toString(TASKS)};
        Killer killer = new Killer();
        spark.sparkContext().addSparkListener(killer);
        StringWriter said = new StringWriter();
        assertThat(run(said, line)).as(said.toString()).isEqualTo(1);
        spark.sparkContext().removeSparkListener(killer);
        assertThat(killer.killed.get()).as("the executor that was killed").isNotNull();
        assertThat(killer.lost.get()).as("tasks that were lost").isPositive();
        assertThat(said.toString()).contains((ROWS + 1) + " pictures asked for", " 2 failed");

        Path expected = Files.createDirectory(folder.resolve("expected"));
        List<Outcome> outcomes = batch(table, expected);
        String manifest = out.resolve("manifest.parquet").toUri().toString();
        List<Row> rows = spark.read().parquet(manifest).orderBy("row", "image").collectAsList();
        assertThat(rows).hasSameSizeAs(outcomes).hasSize(ROWS + 1);
        for (int i = 0; i < rows.size(); i++) {
            Outcome outcome = outcomes.get(i);
            Row row = rows.get(i);
            assertThat(row.<Long>getAs("row")).isEqualTo(outcome.row().number());
            assertThat(row.<Integer>getAs("image")).isEqualTo(outcome.image());
            assertThat(row.<String>getAs("file")).isEqualTo(outcome.place());
            assertThat(row.<String>getAs("error") == null).as("row " + i).isEqualTo(outcome.error() == null);
            if (outcome.error() == null) {
                assertThat(row.<String>getAs("name")).isEqualTo(outcome.picture().name());
                assertThat(row.<Long>getAs("bytes")).isEqualTo(outcome.bytes());
                assertThat(row.<String>getAs("note")).isEqualTo(outcome.row().columns().get("note").asText());
            }
        }
        List<Path> pictures = files(expected.resolve("images"));
        assertThat(pictures).hasSize(ROWS - 2);
        assertThat(files(out.resolve("images"))).isEqualTo(pictures);
        for (Path picture : pictures) {
            assertThat(out.resolve("images").resolve(picture))
                    .hasSameBinaryContentAs(expected.resolve("images").resolve(picture));
        }
        assertThat(out.resolve(".parts")).doesNotExist();

        assertThat(run(new StringWriter(), line)).as("without --resume").isEqualTo(2);
        String[] again = Arrays.copyOf(line, line.length + 1);
        again[line.length] = "--resume";
        said = new StringWriter();
        assertThat(run(said, again)).as(said.toString()).isEqualTo(1);
        assertThat(said.toString()).contains(", 0 drawn, 2 failed");
    }
}
