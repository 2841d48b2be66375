package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Grids of pictures, and what is drawn after each block. */
class SweepTest {
    @TempDir
    private Path folder;

    private static Cli run(String command, Object... args) {
        List<Object> all = new ArrayList<>(List.of(command, "a red circle", "-W", 64, "-H", 64, "--steps", 2,
                "--no-t5"));
        all.addAll(List.of(args));
        return Cli.run(all.toArray());
    }

    @Test
    void aSweepGoesOnWhereItStopped() throws IOException {
        Path to = folder.resolve("sweep");
        Object[] asked = {"--vary", "{keep,zero} block.1.context", "--vary", "cfg-scale=4,1", "-o", to, "--cfg-scale",
            "4"};
        Cli first = run("sweep", asked);
        assertThat(first.code()).as(first.err().toString()).isZero();
        List<String> lines = Files.readAllLines(to.resolve("results.jsonl"));
        assertThat(lines).hasSize(5);
        JsonNode same = new ObjectMapper().readTree(lines.get(1));
        assertThat(same.get("settings").toString()).isEqualTo("[\"keep block.1.context\",\"cfg-scale=4\"]");
        assertThat(same.get("psnr").isNull()).isTrue();
        assertThat(same.get("latent_cosine").doubleValue()).isEqualTo(1);
        assertThat(new ObjectMapper().readTree(lines.get(3)).get("psnr").doubleValue()).isPositive();
        assertThat(Files.readString(to.resolve("index.html"))).contains("zero block.1.context, cfg-scale=1",
                "data:image/png;base64,").doesNotContain("http");
        Picture sheet = PictureFile.read(to.resolve("sheet.png"));
        // The last axis from left to right behind the plain picture, the other from top to bottom.
        assertThat(sheet.width()).isEqualTo(3 * 66 - 2);
        assertThat(sheet.height()).isEqualTo(2 * 66 - 2);
        assertThat(Png.texts(to.resolve("sheet.png"))).containsEntry("columns", "plain | cfg-scale=4 | cfg-scale=1")
                .hasEntrySatisfying("rows", rows -> assertThat(rows).endsWith("zero block.1.context"));
        assertThat(Png.texts(to.resolve("00002.png")))
                .containsEntry("interventions", "keep block.1.context, cfg-scale=4")
                .hasEntrySatisfying("settings of the run", text -> assertThat(text).contains("CFG scale: 4"));

        // The last line cut short, as when the machine stopped.
        String last = lines.getLast();
        Files.writeString(to.resolve("results.jsonl"), String.join("\n", lines.subList(0, 4)) + "\n"
                + last.substring(0, last.length() / 2));
        FileTime before = Files.getLastModifiedTime(to.resolve("00002.png"));
        Cli again = run("sweep", asked);
        assertThat(again.err()).filteredOn(line -> line.contains("PSNR")).singleElement().asString()
                .startsWith("zero block.1.context, cfg-scale=1");
        assertThat(Files.getLastModifiedTime(to.resolve("00002.png"))).isEqualTo(before);
        List<String> whole = Files.readAllLines(to.resolve("results.jsonl"));
        assertThat(whole).hasSize(5).startsWith(lines.subList(0, 4).toArray(String[]::new));
        assertThat(new ObjectMapper().readTree(whole.getLast()).get("psnr"))
                .isEqualTo(new ObjectMapper().readTree(last).get("psnr"));
    }

    @Test
    void theLensIsASheetOfStepsAndBlocks() {
        Path to = folder.resolve("lens.png");
        Cli run = run("lens", "--at-steps", "1", "-o", to, "--previews");
        assertThat(run.code()).as(run.err().toString()).isZero();
        Picture sheet = PictureFile.read(to);
        assertThat(sheet.width()).isEqualTo(4 * (8 + 2) - 2);
        assertThat(sheet.height()).isEqualTo(8);
        assertThat(run("lens", "--at-steps", "9", "-o", to).err()).last().asString()
                .contains("step 9 is not there: this run has 2 evaluations");
    }

    @Test
    void mistakesAreNamed() throws IOException {
        assertThat(run("sweep", "--vary", "colour=red", "-o", folder).err()).singleElement().asString()
                .contains("the option colour cannot be varied; use cfg-scale");
        assertThat(run("sweep", "--vary", "cfg-scale=x", "-o", folder).err()).last().asString()
                .contains("--vary cfg-scale=x: 'x' is no number");
        Path file = Files.createFile(folder.resolve("file"));
        assertThat(run("sweep", "--vary", "cfg-scale=1", "-o", file).err()).last().asString()
                .contains("file: cannot be made a folder", "is a file; name another place");
        assertThat(run("sweep", "--vary", "remove block.{2..9}", "-o", folder).err()).last().asString()
                .contains("there is no site block.4");
    }
}
