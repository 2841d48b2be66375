package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.experiment.TensorFile;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** attend on the model of the repository. */
class AttendCommandTest {
    @TempDir
    private Path folder;

    private static Cli run(String command, Object... args) {
        List<Object> all = new ArrayList<>(List.of(command, "a red circle on a blue background", "-W", 64, "-H", 64,
                "--steps", 3, "--t5-length", 24));
        all.addAll(List.of(args));
        return Cli.run(all.toArray());
    }

    @Test
    void thePictureStaysAndTheWordIsFound() throws IOException {
        Path plain = folder.resolve("plain.png");
        assertThat(run("generate", "-o", plain).code()).isZero();
        Path out = folder.resolve("new/attention");
        Cli attend = run("attend", "--word", "circle", "--word", "blue", "--keys=3", "-o", out);
        assertThat(attend.code()).as(attend.err().toString()).isZero();
        assertThat(Cli.names(out)).containsExactlyInAnyOrder("picture.png", "word.circle.png", "word.blue.png",
                "attention.npz", "run.json", "index.html");
        assertThat(out.resolve("picture.png")).hasSameBinaryContentAs(plain);
        Picture map = Png.read(out.resolve("word.circle.png")).picture();
        assertThat(map.width()).isEqualTo(64);
        // The circle is in the middle, and its word is asked there more than in a corner; yellow has more red.
        assertThat(red(map, 32, 32)).isGreaterThan(red(map, 2, 2) + 40);
        TensorFile arrays = TensorFile.open(out.resolve("attention.npz"));
        assertThat(arrays.names()).anyMatch(name -> name.contains("circle"));
        assertThat(new ObjectMapper().readTree(out.resolve("run.json").toFile()).get("options").toString())
                .isEqualTo("{\"word\":[\"circle\",\"blue\"],\"keys\":[\"3\"],\"blocks\":[\"**\"]}");
        String page = Files.readString(out.resolve("index.html"));
        assertThat(page).contains("a red circle on a blue background").doesNotContain("http://", "https://", "src=\"/");
    }

    private static int red(Picture picture, int x, int y) {
        return picture.rgb()[3 * (y * picture.width() + x)] & 0xff;
    }

    @Test
    void whatIsNotThereIsNamedBeforeAnythingIsDrawn() {
        Path out = folder.resolve("out");
        String[][] wrong = {{"--word", "dog", "its words are a, red, circle"}, {"--tokens", "999", "token 999"},
            {"--word", "", "a word to look at is empty"},
            {"--keys=0", "give how many keys"}, {"--word", "circle", "--blocks", "99", "block.0.attn"},
            {"--at-steps", "0", "nothing is to be looked at"}};
        for (String[] words : wrong) {
            List<Object> args = new ArrayList<>(List.of(words).subList(0, words.length - 1));
            args.addAll(List.of("-o", out));
            Cli run = run("attend", args.toArray());
            assertThat(run.code()).as(run.err().toString()).isEqualTo(2);
            assertThat(run.err().toString()).contains(words[words.length - 1]).doesNotContain("Exception");
        }
        assertThat(out).doesNotExist();
    }
}
