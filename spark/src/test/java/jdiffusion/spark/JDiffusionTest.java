package jdiffusion.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdiffusion.tensor.InputException;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In this JVM, mostly with pictures that are texts. */
class JDiffusionTest {
    @TempDir
    private static Path folder;
    private static SparkSession spark;

    @BeforeAll
    static void start() {
        // Two threads; a task may fail twice.
        spark = SparkSession.builder().master("local[2,3]").appName("test").config("spark.ui.enabled", false)
                .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.local.dir", folder.resolve("local").toString())
                .config("spark.sql.warehouse.dir", folder.resolve("warehouse").toString()).getOrCreate();
    }

    @AfterAll
    static void stop() {
        spark.stop();
    }

    private static Dataset<Row> table(String name, String... lines) throws IOException {
        return spark.read().json(Files.write(folder.resolve(name + ".jsonl"), List.of(lines)).toString());
    }

    private static List<Row> drawn(Dataset<Row> prompts, Settings settings) {
        return JDiffusion.generate(prompts, settings, FakePainter::open).orderBy("row", "image").collectAsList();
    }

    private static String text(Row row) {
        return new String(row.<byte[]>getAs("picture"), StandardCharsets.UTF_8);
    }

    @Test
    void errorsAreRowsAndOwnColumnsPassThrough() throws IOException {
        Dataset<Row> table = table("errors", "{\"prompt\": \"a\", \"seed\": 5, \"id\": 17, \"note\": {\"x\": 1.5}}",
                "{\"images\": 2, \"prompt\": \"b\", \"seed\": 18446744073709551614}", "{\"note\": {\"x\": 2}}",
                "{\"prompt\": ", "{\"prompt\": \"fails\", \"file\": \"mine\", \"error\": \"mine, too\"}");
        List<Row> rows = drawn(table, Settings.inColumn("model"));
        assertThat(rows).extracting(row -> row.<Long>getAs("row")).containsExactly(0L, 1L, 1L, 2L, 3L, 4L);
        assertThat(rows).extracting(row -> row.<Integer>getAs("image")).containsExactly(0, 0, 1, 0, 0, 0);
        assertThat(rows).extracting(row -> row.<String>getAs("id")).containsExactly("17", null, null, null, null, null);
        assertThat(rows.get(0).<BigDecimal>getAs("seed")).isEqualByComparingTo("5");
        assertThat(rows.get(2).<BigDecimal>getAs("seed")).isEqualByComparingTo("18446744073709551615");
        assertThat(text(rows.get(0))).contains("prompt=a", "seed=5");
        assertThat(rows.get(0).<Row>getAs("note").getDouble(0)).isEqualTo(1.5);
        assertThat(rows.get(0).<String>getAs("device")).isEqualTo("auto/1");
        assertThat(rows.get(0).<String>getAs("file")).isNull();
        assertThat(rows).extracting(row -> row.<String>getAs("error")).satisfies(errors -> {
            assertThat(errors.subList(0, 3)).containsOnlyNulls();
            assertThat(errors.get(3)).isEqualTo("there is no prompt");
            assertThat(errors.get(4)).contains("cannot be read");
            assertThat(errors.get(5)).isEqualTo("it cannot be drawn");
        });
        assertThat(rows.get(5).<byte[]>getAs("picture")).isNull();
        assertThat(rows.get(5).<String>getAs("row_file")).isEqualTo("mine");
        assertThat(rows.get(5).<String>getAs("row_error")).isEqualTo("mine, too");
    }

    @Test
    void whatIsThereIsNotDrawnAgain() throws IOException {
        Dataset<Row> table = table("there", "{\"prompt\": \"a\", \"row\": 7}", "{\"prompt\": \"b\", \"row\": 3}",
                "{\"prompt\": \"a\", \"row\": 5}");
        Settings settings = Settings.of("model", folder.resolve("there").toUri().toString()).withWindow(2);
        int before = FakePainter.DRAWN.get();
        List<Row> first = drawn(table.coalesce(1), settings);
        assertThat(FakePainter.DRAWN.get() - before).as("two pictures for three rows").isEqualTo(2);
        assertThat(first).extracting(row -> row.<Long>getAs("row")).containsExactly(3L, 5L, 7L);
        List<Row> second = drawn(table, settings.withColumn(true));
        assertThat(FakePainter.DRAWN.get() - before).isEqualTo(2);
        for (int i = 0; i < 3; i++) {
            String file = second.get(i).getAs("file");
            assertThat(file).isEqualTo(first.get(i).<String>getAs("file"));
            assertThat(second.get(i).<Long>getAs("bytes")).isEqualTo(first.get(i).<Long>getAs("bytes"));
            assertThat(second.get(i).<Double>getAs("seconds")).isZero();
            assertThat(second.get(i).<byte[]>getAs("picture"))
                    .isEqualTo(Files.readAllBytes(folder.resolve("there").resolve(file)));
        }
    }

    /** Tasks share a painter; after the device failed there is a new one, and the task is done again. */
    @Test
    void paintersAreHeldUntilTheirDeviceFails() {
        Dataset<Row> table = spark.range(8).selectExpr("id as row", "if(id = 5, 'breaks', concat('p', id)) as prompt")
                .repartition(4);
        int before = FakePainter.MADE.get();
        List<Row> rows = drawn(table, Settings.inColumn("held").withSeed(1));
        assertThat(rows).hasSize(8).allSatisfy(row -> assertThat(row.<String>getAs("error")).isNull());
        assertThat(FakePainter.MADE.get() - before).isEqualTo(2);
        drawn(table, Settings.inColumn("held").withSeed(2));
        assertThat(FakePainter.MADE.get() - before).as("for other settings").isEqualTo(3);
    }

    @Test
    void namesColumnsThatCannotBeMeant() {
        Dataset<Row> text = spark.range(1).selectExpr("cast(id as string) as row", "'a' as prompt");
        assertThatThrownBy(() -> JDiffusion.generate(text, Settings.inColumn("model")))
                .isInstanceOf(InputException.class).hasMessageContaining("the column row is of type string");
        Dataset<Row> twice = spark.range(1).selectExpr("1 as w", "2 as width");
        assertThatThrownBy(() -> JDiffusion.generate(twice, Settings.inColumn("model")))
                .isInstanceOf(InputException.class).hasMessageContaining("two columns say width");
    }

    @Test
    void takesTheGpuThatSparkGives() {
        Settings settings = Settings.inColumn("model");
        Map<String, ResourceInformation> third = Map.of("gpu", new ResourceInformation("gpu", new String[] {"3"}));
        assertThat(JDiffusion.device(settings, third)).isEqualTo("cuda:3");
        assertThat(JDiffusion.device(settings.withDevice("CUDA"), third)).isEqualTo("cuda:3");
        assertThat(JDiffusion.device(settings.withDevice("cpu"), third)).isEqualTo("cpu");
        assertThat(JDiffusion.device(settings, Map.of())).isEqualTo("auto");
        assertThatThrownBy(() -> JDiffusion.device(settings, Map.of("gpu",
                new ResourceInformation("gpu", new String[] {"0", "1"})))).isInstanceOf(InputException.class)
                .hasMessageContaining("[0, 1]").hasMessageContaining("spark.task.resource.gpu.amount=1");
    }

    @Test
    void saysInALineWhatIsWrong() throws IOException {
        String out = folder.resolve("wrong").toUri().toString();
        String table = Files.write(folder.resolve("one.csv"), List.of("prompt,steps", "a,2")).toString();
        said(2, "/nowhere/model", table, "-o", out, "-m", "/nowhere/model");
        said(2, "is no table of prompts by its name", "prompts.txt", "-o", out, "-m", "m");
        said(2, "/nowhere.jsonl", "/nowhere.jsonl", "-o", out, "-m", "m");
        said(2, "use 1 or more", table, "-o", out, "-m", "m", "--partitions", "0");
        said(2, "--output", table, "-m", "m");
        assertThat(folder.resolve("wrong/.parts")).doesNotExist();
    }

    private static void said(int code, String what, String... args) {
        StringWriter text = new StringWriter();
        PrintWriter writer = new PrintWriter(text, true);
        assertThat(Main.run(writer, writer, args)).as(text.toString()).isEqualTo(code);
        assertThat(text.toString()).contains(what).doesNotContain("\tat ");
    }
}
