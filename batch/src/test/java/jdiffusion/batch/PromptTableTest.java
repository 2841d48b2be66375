package jdiffusion.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptTableTest {
    @TempDir
    private Path folder;

    private List<Row> read(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        try (OutputStream plain = Files.newOutputStream(file);
                OutputStream out = name.endsWith(".gz") ? new GZIPOutputStream(plain) : plain) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        List<Row> rows = new ArrayList<>();
        try (PromptTable table = PromptTable.open(file)) {
            table.forEachRemaining(rows::add);
        }
        return rows;
    }

    @Test
    void jsonLines() throws IOException {
        List<Row> rows = read("t.jsonl", "\uFEFF{\"prompt\": \"ä\"}\r\n\n  \n"
                + "{\"prompt\": 3, \"a\": null}\n[1]\n{oops\n{}");
        assertThat(rows).extracting(Row::number).containsExactly(0L, 1L, 2L, 3L, 4L);
        assertThat(rows).extracting(Row::line).containsExactly(1L, 4L, 5L, 6L, 7L);
        assertThat(rows.getFirst().columns().get("prompt").textValue()).isEqualTo("ä");
        assertThat(rows.get(2).fault()).isEqualTo("this line is no JSON object: write {\"prompt\": \"...\"}");
        assertThat(rows.get(3).fault()).startsWith("this line: not valid JSON");
        assertThat(rows.get(4).columns().isEmpty()).isTrue();
    }

    @Test
    void csvWithQuotesAndLinesInCells() throws IOException {
        List<Row> rows = read("t.csv", "prompt,seed,mine\n\"a \"\"cat\"\",\nblack\",7,x\nplain,,\n\nb,8,y\n");
        assertThat(rows).hasSize(3);
        assertThat(rows.getFirst().columns().get("prompt").textValue()).isEqualTo("a \"cat\",\nblack");
        assertThat(rows.get(1).columns().has("seed")).isFalse();
        assertThat(rows.get(2).columns().get("mine").textValue()).isEqualTo("y");
        assertThat(rows.getFirst().line()).isLessThanOrEqualTo(rows.get(1).line());
        assertThat(rows.get(2).line()).isEqualTo(6);
    }

    @Test
    void csvRowsOfTheWrongWidthAreFaults() throws IOException {
        List<Row> rows = read("t.csv", "prompt,seed\na,1,2,3\nb\nc,4\n");
        assertThat(rows).extracting(row -> row.fault() == null).contains(false).endsWith(true);
        assertThat(rows.getLast().columns().get("prompt").textValue()).isEqualTo("c");
    }

    @Test
    void tabsAndGzip() throws IOException {
        assertThat(read("t.tsv", "prompt\tsteps\na, b\t4\n").getFirst().columns().get("prompt").textValue())
                .isEqualTo("a, b");
        assertThat(read("t.jsonl.gz", "{\"prompt\":\"x\"}\n")).hasSize(1);
        assertThat(read("t.csv.gz", "prompt\nx\n")).hasSize(1);
    }

    @Test
    void whatIsNoTable() throws IOException {
        assertThatThrownBy(() -> read("t.txt", "a")).isInstanceOf(InputException.class)
                .hasMessageContaining("is no table of prompts by its name");
        Files.write(folder.resolve("l.jsonl"), new byte[] {'{', (byte) 0xE4, '}'});
        try (PromptTable table = PromptTable.open(folder.resolve("l.jsonl"))) {
            assertThatThrownBy(table::hasNext).isInstanceOf(InputException.class).hasMessageContaining("not UTF-8");
        }
        for (String first : new String[] {"prompt;seed", "a cat", "sep=;", "text,seed"}) {
            assertThatThrownBy(() -> read("s.csv", first + "\na;7\n")).isInstanceOf(InputException.class)
                    .hasMessageContaining("has no column 'prompt', only '" + first.split(",")[0]);
        }
        assertThat(read("s.csv", "Seed, PROMPT\n7, a\n").getFirst().fault()).isNull();
        assertThatThrownBy(() -> PromptTable.open(folder.resolve("none.csv"))).isInstanceOf(InputException.class);
        Files.writeString(folder.resolve("g.csv.gz"), "not packed");
        assertThatThrownBy(() -> PromptTable.open(folder.resolve("g.csv.gz"))).isInstanceOf(InputException.class);
    }
}
