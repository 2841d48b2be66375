package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One downloaded file: tokenizers are found where people have them, and a list says which. */
class TokenizersTest {
    @TempDir
    private static Path shared;
    private static Path model;

    @TempDir
    private Path folder;

    /** Everything but tokenizers, in a folder of its own. */
    @BeforeAll
    static void write() throws IOException {
        model = Files.createDirectories(shared.resolve("app/models/checkpoints")).resolve("sd3.safetensors");
        Cli run = Cli.run("convert", TestModel.SHAPES, "-o", model, "--layout", "all-in-one");
        assertThat(run.code()).as("%s", run.err()).isZero();
    }

    private static Path copy(String from, Path to, String... names) throws IOException {
        Files.createDirectories(to);
        for (String name : names) {
            Files.copy(TestModel.SHAPES.resolve(from).resolve(name), to.resolve(name));
        }
        return to;
    }

    /** A home with a cache in which all snapshots are links to blobs. */
    private Map<String, String> home() throws IOException {
        for (String[] part : new String[][] {{"openai--clip-vit-large-patch14", "tokenizer", "vocab.json",
            "merges.txt"}, {"google--t5-v1_1-xxl", "tokenizer_3", "spiece.model"}}) {
            Path repository = folder.resolve(".cache/huggingface/hub/models--" + part[0]);
            Path snapshot = Files.createDirectories(repository.resolve("snapshots/1f"));
            for (int i = 2; i < part.length; i++) {
                copy(part[1], repository.resolve("blobs"), part[i]);
                Files.createSymbolicLink(snapshot.resolve(part[i]), Path.of("../../blobs").resolve(part[i]));
            }
        }
        return Map.of("HOME", folder.toString());
    }

    @Test
    void theCacheServesASingleFile() throws IOException {
        Map<String, String> home = home();
        Cli run = Cli.with(home, "generate", "a red star", "-m", model, "-W", 64, "-H", 64, "--steps", 2, "-o",
                folder.resolve("a.png"));
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).anyMatch(line -> line.contains("the tokenizer of CLIP-L and CLIP-G is read from")
                && line.contains("models--openai--clip-vit-large-patch14/snapshots/1f/vocab.json")
                && line.contains("in Hugging Face's cache"));
        Cli given = Cli.run("generate", "a red star", "-m", model, "-W", 64, "-H", 64, "--steps", 2, "-o",
                folder.resolve("b.png"), "--tokenizer", TestModel.SHAPES);
        assertThat(given.code()).as("%s", given.err()).isZero();
        assertThat(given.err()).noneMatch(line -> line.contains("is read from"));
        assertThat(Files.readAllBytes(folder.resolve("a.png"))).isEqualTo(Files.readAllBytes(folder.resolve("b.png")));
    }

    @Test
    void nothingIsFound() {
        Cli run = Cli.draw("a", "-m", model, "-o", folder.resolve("x.png"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains("no tokenizer for CLIP-L", "beside the model",
                "this model's own tokenizer, of 1024 tokens", "--tokenizer");
        assertThat(folder.resolve("x.png")).doesNotExist();
        Cli list = Cli.run("tokenizers", "-m", model);
        assertThat(list.code()).isEqualTo(1);
        assertThat(list.out()).contains("CLIP-L:", "none found", "no tokenizer for T5");
    }

    @Test
    void listsWhatAModelWouldUse() throws IOException {
        Map<String, String> home = home();
        Path small = folder.resolve(".cache/huggingface/hub/models--a--clip/snapshots/1");
        Files.createDirectories(small);
        Files.writeString(small.resolve("tokenizer.json"), "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}");
        Cli run = Cli.with(home, "tokenizers", "-m", model);
        assertThat(run.code()).as("%s", run.out()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).containsPattern("CLIP-G:\n  used +\\S+/1f/vocab.json, merges.txt: 1024 tokens")
                .containsPattern("no +\\S+clip/snapshots/1/tokenizer.json holds a model of type \"WordPiece\"")
                .containsPattern("T5:\n  used +\\S+/1f/spiece.model: 888 tokens");

        JsonNode json = new ObjectMapper().readTree(Cli.with(home, "tokenizers", "-m", model, "--json").out());
        assertThat(json.findValuesAsText("for")).containsExactly("CLIP-L", "CLIP-G", "T5");
        assertThat(json.at("/0/uses").textValue()).endsWith("snapshots/1f/vocab.json");
        assertThat(json.at("/0/fault").isNull()).isTrue();
        assertThat(json.at("/0/found/0/tokens").intValue()).isEqualTo(1024);
        assertThat(json.at("/0/found/1/fits").booleanValue()).isFalse();
    }

    @Test
    void listsWhatThereIsWithoutAModel() throws IOException {
        Cli run = Cli.with(home(), "tokenizers");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("CLIP's byte pairs:", "T5's unigrams:", "1024 tokens",
                "982 tokens", "in Hugging Face's cache");
        assertThat(run.err()).isEmpty();
        Cli none = Cli.run("tokenizers");
        assertThat(none.out()).contains("none found").doesNotContain("used");
        assertThat(none.err()).singleElement().asString().startsWith("note: ").contains("docs/tokenizers.md");
        assertThat(Cli.run("tokenizers", "--tokenizer", TestModel.SHAPES).out()).contains("given with --tokenizer");
        assertThat(Cli.run("tokenizers", "--tokenizer", "nowhere").err()).singleElement().asString()
                .contains("--tokenizer nowhere is not a folder");
        Cli shapes = Cli.run("tokenizers", "-m", TestModel.SHAPES);
        assertThat(shapes.code()).isZero();
        assertThat(shapes.out()).contains("T5:\n  used  " + TestModel.SHAPES.toAbsolutePath().normalize()
                .resolve("tokenizer_3/spiece.model") + ": 882 tokens");
    }

    /** CLIP's and T5's files in one folder, as they are downloaded; each encoder is written its own. */
    @Test
    void convertFromFilesThatLieTogether() throws IOException {
        Path all = copy("tokenizer", folder.resolve("all"), "vocab.json", "merges.txt");
        copy("tokenizer_3", all, "spiece.model");
        Path back = folder.resolve("back");
        Cli run = Cli.run("convert", model, "-o", back, "--tokenizer", all);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(Cli.names(back.resolve("tokenizer"))).containsExactly("merges.txt", "tokenizer_config.json",
                "vocab.json");
        assertThat(Cli.names(back.resolve("tokenizer_3"))).containsExactly("spiece.model");
        Cli.run("generate", "a star", "-m", back, "-W", 64, "-H", 64, "--steps", 2, "-o", folder.resolve("a.png"));
        Cli.run("generate", "a star", "-W", 64, "-H", 64, "--steps", 2, "-o", folder.resolve("b.png"));
        assertThat(ImageIO.read(folder.resolve("a.png").toFile()).getRGB(0, 0, 64, 64, null, 0, 64))
                .isEqualTo(ImageIO.read(folder.resolve("b.png").toFile())
                        .getRGB(0, 0, 64, 64, null, 0, 64));
    }
}
