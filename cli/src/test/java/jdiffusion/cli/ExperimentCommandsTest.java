package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.model.experiment.TensorFile;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** sites, record, patch and compare on the model of the repository. */
class ExperimentCommandsTest {
    private static final String PROMPT = "a red circle on a blue background";

    @TempDir
    private Path folder;

    /** Two steps of a small picture without T5. */
    private static Cli run(String command, Object... args) {
        List<Object> all = new ArrayList<>(List.of(command, PROMPT, "-W", 64, "-H", 64, "--steps", 2, "--no-t5"));
        all.addAll(List.of(args));
        return Cli.run(all.toArray());
    }

    @Test
    void sitesAreListedWithTheCheckpointsModules() throws IOException {
        Cli table = Cli.run("sites", TestModel.SHAPES, "--at", "block.1.image.attn.*");
        assertThat(table.code()).isZero();
        assertThat(table.out().lines()).hasSize(5);
        assertThat(table.out()).contains("transformer_blocks.1.attn.to_q",
                "transformer_blocks.1.attn.to_out.0 (input)");
        JsonNode json = new ObjectMapper().readTree(Cli.run("sites", TestModel.SHAPES, "--json", "-W", 64, "-H", 32)
                .out());
        JsonNode image = json.get("sites").valueStream().filter(site -> site.get("name").textValue()
                .equals("block.0.image")).findFirst().orElseThrow();
        assertThat(image.get("shape").toString()).isEqualTo("[8,256]");
        assertThat(image.get("bytes").intValue()).isEqualTo(8 * 256 * 4);
        assertThat(image.get("component").textValue()).isEqualTo("denoiser");
    }

    @Test
    void aRecordingIsTheSameInBothFormatsAndSaysWhatItIsOf() throws IOException {
        Path tensors = folder.resolve("run.safetensors");
        Path npz = folder.resolve("run.npz");
        Cli first = run("record", "--at", "block.*.context", "--at", "latents", "--at-steps", "1", "--at-branch",
                "cond", "-o", tensors);
        assertThat(first.code()).as(first.err().toString()).isEqualTo(2);
        assertThat(first.err()).last().asString().contains("latents is the same for all guidance branches");
        assertThat(Cli.names(folder)).isEmpty();
        assertThat(run("record", "--at", "block.*.context", "--at-steps", "1", "--at-branch", "cond", "-o", tensors)
                .code()).isZero();
        assertThat(run("record", "--at", "block.*.context", "--at-steps", "1", "--at-branch", "cond", "-o", npz)
                .code()).isZero();
        assertThat(TensorFile.open(npz).names()).isEqualTo(TensorFile.open(tensors).names())
                .first().isEqualTo("step.001/cond/block.0.context");
        JsonNode account = new ObjectMapper().readTree(folder.resolve("run.json").toFile());
        assertThat(account.get("settings").textValue()).contains(PROMPT, "Steps: 2");
        assertThat(account.get("options").toString()).isEqualTo("{\"at\":[\"block.*.context\"],\"at-steps\":[\"1\"],"
                + "\"at-branch\":[\"cond\"]}");
        assertThat(account.get("model_files_sha256").size()).isGreaterThan(4);
        assertThat(account.get("tensors")).hasSameSizeAs(TensorFile.open(npz).names());
        Cli same = Cli.run("compare", tensors, npz);
        assertThat(same.code()).isZero();
        assertThat(same.out()).contains("are the same to the bit");
        Path changed = folder.resolve("changed.npz");
        assertThat(run("record", "--at", "block.*.context", "--at-steps", "1", "--at-branch", "cond", "--do",
                "scale 0.5 block.2.context", "-o", changed).code()).isZero();
        Cli differing = Cli.run("compare", npz, changed, "--json");
        assertThat(differing.code()).isEqualTo(1);
        assertThat(new ObjectMapper().readTree(differing.out()).get("first").textValue())
                .isEqualTo("step.001/cond/block.0.context");
    }

    @Test
    void aPatchedPictureLiesBesideThePlainOne() throws IOException {
        Path yaml = Files.writeString(folder.resolve("all.yaml"), """
                - zero block.1.context.attn.out branch=cond
                - {do: scale, at: block.2.image.mlp.hidden, by: 0.5, steps: [0, 1]}
                - do: noise
                  at: latents
                  by: 0.2
                  seed: 5
                """);
        Path prompts = Files.writeString(folder.resolve("prompts.txt"), "a cat\n\na dog\n");
        Path kept = folder.resolve("kept.png");
        Cli run = run("patch", "--do", "keep **", "-o", kept);
        assertThat(run.err()).last().asString().contains("the same picture");
        assertThat(PictureFile.read(kept)).usingRecursiveComparison()
                .isEqualTo(PictureFile.read(folder.resolve("kept.plain.png")));
        Path plain = folder.resolve("plain.png");
        assertThat(Cli.draw(PROMPT, "-o", plain).code()).isZero();
        assertThat(Cli.run("compare", plain, folder.resolve("kept.plain.png")).code()).isZero();
        Path patched = folder.resolve("patched.png");
        assertThat(run("patch", "--from", yaml, "--do", "mean embedded.context prompts=" + prompts, "-o", patched)
                .err()).last().asString().contains("pixels differ", "PSNR", "SSIM", "latent cosine");
        Cli pictures = Cli.run("compare", patched, folder.resolve("patched.plain.png"), "--json");
        assertThat(pictures.code()).isEqualTo(1);
        assertThat(new ObjectMapper().readTree(pictures.out()).get("different").intValue()).isPositive();
        assertThat(folder.resolve("patched.diff.png")).exists();
        // What was done, the file's entries too, is in the picture, and how; but not where it would draw the plain one.
        Map<String, String> texts = Png.texts(patched);
        assertThat(texts.get("interventions").lines()).containsExactly("zero block.1.context.attn.out branch=cond",
                "{\"do\":\"scale\",\"at\":\"block.2.image.mlp.hidden\",\"by\":0.5,\"steps\":[0,1]}",
                "{\"do\":\"noise\",\"at\":\"latents\",\"by\":0.2,\"seed\":5}",
                "mean embedded.context prompts=" + prompts);
        assertThat(texts.get("settings of the run")).isEqualTo(Png.texts(folder.resolve("patched.plain.png"))
                .get("parameters"));
        assertThat(texts).doesNotContainKey("parameters");
    }

    private static void refused(String message, Object... args) {
        Cli run = run("patch", args);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).last().asString().contains(message);
    }

    @Test
    void mistakesAreNamed() throws IOException {
        refused("nothing is to be done");
        refused("'zap' is no intervention; use keep, zero, scale", "--do", "zap block.1");
        refused("scale block.1 needs a factor", "--do", "scale block.1");
        refused("x and block.1 are both no number and no key=value, and only one can be the site", "--do",
                "scale x block.1");
        refused("zero takes no by", "--do", "zero 3 block.1");
        refused("'left' is no guidance branch; use cond, uncond, skip, pag, seg", "--do", "zero block.1 branch=left");
        refused("there is no site blok.1; there are latents", "--do", "zero blok.1");
        refused("word= is empty", "--do", "zero block.1.context word=");
        refused("step 2 is not there: this run has 2 evaluations", "--do", "zero block.1 steps=2");
        refused("write numbers and ranges such as 0,3,5-8", "--do", "zero block.1 steps=a");
        refused("needs from=FILE.safetensors", "--do", "replace block.1");
        refused("nothing.safetensors", "--do", "replace block.1 from=nothing.safetensors");
        refused("give x,y,width,height in pixels", "--do", "zero latents area=1,2");
        Path broken = Files.writeString(folder.resolve("broken.yaml"), "a: [b");
        refused("is no YAML: while parsing a flow sequence, expected ',' or ']'", "--from", broken);
        Path number = Files.writeString(folder.resolve("number.yaml"), "- 5");
        refused("5 is neither a line such as", "--from", number);
        Path empty = Files.createFile(folder.resolve("empty"));
        refused("is no list of interventions; write lines such as", "--from", empty);
        refused("empty: has no prompts; write one a line", "--do", "mean block.1 prompts=" + empty);
        refused("none.yaml: there is no such file; write one with interventions", "--from",
                folder.resolve("none.yaml"));
        refused("none.txt: there is no such file; write one with a prompt a line", "--do", "mean block.1 prompts="
                + folder.resolve("none.txt"));
        Path map = Files.writeString(folder.resolve("map.yaml"), "do: zero");
        refused("is no list of interventions", "--from", map);
        Path damaged = Files.write(folder.resolve("damaged.npz"), new byte[] {'P', 'K', 3, 4, 1});
        assertThat(Cli.run("compare", damaged, damaged).err()).singleElement().asString().contains("damaged.npz");
        assertThat(Cli.run("record", PROMPT, "--at", "block.1", "-o", folder.resolve("x.txt")).err())
                .singleElement().asString().contains(".safetensors or .npz");
    }
}
