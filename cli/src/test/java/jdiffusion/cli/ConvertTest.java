package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** synthesize, convert, quantize, and generate with what they give. */
class ConvertTest {
    @TempDir
    private static Path shared;

    @TempDir
    private Path folder;

    private void draws(Object... model) {
        List<Object> args = new java.util.ArrayList<>(List.of(model));
        args.addAll(List.of("-o", folder.resolve("p.png")));
        Cli run = Cli.draw(java.util.stream.Stream.concat(java.util.stream.Stream.of("a star"), args.stream())
                .toArray());
        assertThat(run.err()).as("%s", run.err()).anyMatch(line -> line.startsWith("wrote "));
        assertThat(run.code()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd3-medium", "sd35-medium", "sd35-large"})
    void synthesizedModelsDraw(String family) {
        Path model = folder.resolve("m");
        Cli run = Cli.run("synthesize", "--family", family, "--tiny", model);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).singleElement().asString().startsWith("wrote " + model + ": ");
        draws("--model", model);
        assertThat(Cli.run("synthesize", "--family", family, "--tiny", model).err()).singleElement().asString()
                .isEqualTo("jdiffusion: " + model + ": is there already and not empty; name a new folder, or delete"
                        + " it");
    }

    @ParameterizedTest
    @CsvSource({"diffusers, m", "single, m", "all-in-one, m.safetensors"})
    void everyLayoutOfASynthesizedModelDraws(String layout, String name) {
        Path model = folder.resolve(name);
        assertThat(Cli.run("synthesize", "--family", "sd35-medium", "--tiny", "--layout", layout, "--dtype", "f16",
                model).code()).isZero();
        draws("--model", model, "--tokenizer", TestModel.SHAPES);
    }

    /** However long the names of the types are. */
    @Test
    void columnsOfInspectAlign() {
        Path model = folder.resolve("m");
        assertThat(Cli.run("synthesize", "--family", "sd3.5-medium", "--tiny", "--quantize", "fp8", model).code())
                .isZero();
        Cli run = Cli.run("inspect", model);
        assertThat(run.code()).isZero();
        List<String> rows = run.out().lines().skip(1).takeWhile(line -> !line.startsWith("layout")).toList();
        assertThat(rows).anyMatch(row -> row.contains("bf16+f8_e4m3_scaled")).hasSize(10);
        int column = rows.getFirst().indexOf("status");
        assertThat(rows.subList(1, rows.size())).allMatch(row -> row.startsWith(" ok", column - 1));
    }

    @Test
    void convertedAndQuantisedOnTheWayInDrawTheSame() throws IOException {
        Path small = folder.resolve("small");
        Cli run = Cli.run("convert", TestModel.SHAPES, "-o", small, "--quantize", "nf4");
        assertThat(run.code()).as("%s", run.err()).isZero();
        Cli.draw("a star", "--model", small, "-o", folder.resolve("a.png"));
        Cli.draw("a star", "--quantize", "nf4", "-o", folder.resolve("b.png"));
        Cli.draw("a star", "-o", folder.resolve("c.png"));
        assertThat(pixels("a.png")).isEqualTo(pixels("b.png")).isNotEqualTo(pixels("c.png"));
    }

    private List<Integer> pixels(String name) throws IOException {
        return pixels(folder.resolve(name));
    }

    private static List<Integer> pixels(Path file) throws IOException {
        var image = javax.imageio.ImageIO.read(file.toFile());
        return java.util.Arrays.stream(image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0,
                image.getWidth())).boxed().toList();
    }

    /** Its norms' groups, scheduler and sampling are its own, and a single file has no config.json. */
    @ParameterizedTest
    @ValueSource(strings = {"one.safetensors", "denoiser.gguf"})
    void whatShapesDoNotSayGoesIntoTheFile(String name) throws IOException {
        Path file = folder.resolve("made").resolve(name);
        Files.createDirectories(file.getParent());
        boolean gguf = name.endsWith(".gguf");
        Cli run = gguf ? Cli.run("convert", TestModel.SHAPES, "-o", file)
                : Cli.run("convert", TestModel.SHAPES, "-o", file, "--layout", "all-in-one");
        assertThat(run.code()).as("%s", run.err()).isZero();
        List<Object> given = new java.util.ArrayList<>(List.of("a star", "--model", file, "-o",
                folder.resolve("a.png")));
        if (gguf) {
            for (var part : java.util.Map.of("--clip-l", "text_encoder/model", "--clip-g", "text_encoder_2/model",
                    "--t5xxl", "text_encoder_3/model", "--vae", "vae/diffusion_pytorch_model").entrySet()) {
                given.addAll(List.of(part.getKey(), TestModel.SHAPES.resolve(part.getValue() + ".safetensors")));
            }
        }
        given.addAll(List.of("--tokenizer", TestModel.SHAPES));
        Cli drawn = Cli.run(java.util.stream.Stream.concat(java.util.stream.Stream.of("generate"), given.stream())
                .toArray());
        assertThat(drawn.code()).as("%s", drawn.err()).isZero();
        // Without a single option, for both cases the same.
        Path own = shared.resolve("own.png");
        if (!Files.exists(own)) {
            Cli.run("generate", "a star", "-o", own);
        }
        assertThat(pixels(folder.resolve("a.png"))).isEqualTo(pixels(own));
    }

    @Test
    void anExistingFileIsReplacedOnlyWhenAskedFor() throws IOException {
        Path file = folder.resolve("d.safetensors");
        Files.writeString(file, "mine");
        Cli run = Cli.run("convert", TestModel.SHAPES, "-o", file);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).containsExactly("jdiffusion: " + file + ": is there already; name another file, or"
                + " replace it with --overwrite");
        assertThat(file).hasContent("mine");
        assertThat(Cli.run("convert", TestModel.SHAPES, "-o", file, "--overwrite").code()).isZero();
        assertThat(Files.size(file)).isGreaterThan(1 << 20);
    }

    /** One set of files serves both CLIPs there; here each has its own, with its own padding. */
    @Test
    void fromOneFileToAFolderDrawsTheSame() throws IOException {
        Path file = folder.resolve("one.safetensors");
        Path tokenizers = folder.resolve("tokenizers");
        for (String name : List.of("vocab.json", "merges.txt")) {
            Files.createDirectories(tokenizers.resolve("clip"));
            Files.copy(TestModel.SHAPES.resolve("tokenizer").resolve(name), tokenizers.resolve("clip").resolve(name));
        }
        Path back = folder.resolve("back");
        assertThat(Cli.run("synthesize", "--family", "sd35-medium", "--tiny", "--layout", "all-in-one", "--components",
                "denoiser,vae,clip-l,clip-g", file).code()).isZero();
        Cli run = Cli.run("convert", file, "-o", back, "--tokenizer", tokenizers);
        assertThat(run.code()).as("%s", run.err()).isZero();
        Cli.draw("a star", "--model", file, "--tokenizer", tokenizers, "-o", folder.resolve("a.png"));
        Cli.draw("a star", "--model", back, "-o", folder.resolve("b.png"));
        assertThat(pixels("a.png")).isEqualTo(pixels("b.png"));

        // All that the tensors say is written for other programs; the size of training's pictures they do not say.
        Path original = folder.resolve("original");
        assertThat(Cli.run("synthesize", "--family", "sd35-medium", "--tiny", "--components",
                "denoiser,vae,clip-l,clip-g", original).code()).isZero();
        for (String part : List.of("transformer", "vae", "text_encoder", "text_encoder_2")) {
            JsonNode wanted = new ObjectMapper().readTree(original.resolve(part).resolve("config.json").toFile());
            JsonNode written = new ObjectMapper().readTree(back.resolve(part).resolve("config.json").toFile());
            ((ObjectNode) written).remove("sample_size");
            written.properties().forEach(field -> assertThat(field.getValue().toString())
                    .as("%s: %s", part, field.getKey()).isEqualTo(wanted.path(field.getKey()).toString()));
            assertThat(written.size()).as(part).isGreaterThan(11);
        }
    }

    @Test
    void aDenoiserInGgufDrawsWithTheRestBesideIt() {
        Path gguf = folder.resolve("d.gguf");
        Cli run = Cli.run("convert", "-o", gguf, "--quantize", "q8_0");
        assertThat(run.code()).as("%s", run.err()).isZero();
        Path parts = folder.resolve("parts");
        assertThat(Cli.run("convert", "-o", parts, "--components", "clip-l,clip_g,vae").code()).isZero();
        draws("--model", gguf, "--clip-l", parts.resolve("text_encoder/model.safetensors"), "--clip-g",
                parts.resolve("text_encoder_2/model.safetensors"), "--vae",
                parts.resolve("vae/diffusion_pytorch_model.safetensors"), "--tokenizer", TestModel.SHAPES);
    }

    @Test
    void report() throws IOException {
        Cli run = Cli.run("quantize", "--report", TestModel.SHAPES, "--quantize", "denoiser=nf4");
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.out().lines()).anyMatch(line -> line.matches(
                "denoiser +transformer_blocks\\.0\\.attn\\.to_q\\.weight .* nf4 +[0-9.]+e-02 .*"))
                .anyMatch(line -> line.matches("denoiser +proj_out\\.weight .* kept: final layer"))
                .anyMatch(line -> line.matches("t5 +shared\\.weight .* kept: token table"));
        JsonNode json = new ObjectMapper().readTree(
                Cli.run("quantize", TestModel.SHAPES, "--quantize", "nf4", "--components", "t5", "--json").out());
        assertThat(json.get("bytes_after").longValue()).isLessThan(json.get("bytes_before").longValue());
        for (JsonNode tensor : json.get("tensors")) {
            assertThat(tensor.has("kept")).isNotEqualTo(tensor.has("rms_error"));
        }
        assertThat(json.get("tensors").findValues("rms_error")).isNotEmpty()
                .allMatch(error -> error.doubleValue() > 0.02 && error.doubleValue() < 0.15);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "convert -o x.gguf --quantize nf4 | GGUF files have no nf4",
        "convert -o none/x.safetensors | its folder does not exist",
        "convert -o x --quantize nf5 | 'nf5' is no type to quantise to",
        "convert -o x --quantize vae=nf4 | the VAE is not quantised",
        "convert -o x --quantize t5= | --quantize t5=: '' is no type to quantise to",
        "convert -o x --quantize foo.*=nf4 | has a name like foo.*; see",
        "quantize --quantize foo.*=nf4 | has a name like foo.*; see",
        "quantize --quantize nf5 | --quantize nf5: 'nf5' is no type to quantise to",
        "quantize --quantize nf4 --components unet | 'unet' is no component",
        "convert -o x.ckpt | files of that ending are not written",
        "convert -o x.safetensors --format gguf | needs a name that ends in .gguf",
        "convert -o x.gguf --components vae | holds the denoiser alone",
        "convert -o x --components unet | 'unet' is no component",
        "convert -o x --layout all-in-one | needs the name of a file",
        "convert -o x --dtype f8 | use bf16, f16 or f32",
        "convert nothing -o x | there is no such model",
        "quantize | --quantize is missing",
        "synthesize --family sd9 x | is no family",
        "synthesize --family sd35-medium -s -1 x | the seed is '-1'; use a whole number from 0 to"})
    void badInput(String args, String message) throws IOException {
        Object[] parts = java.util.Arrays.stream(args.strip().split(" "))
                .map(arg -> arg.startsWith("x") || arg.startsWith("none") ? folder.resolve(arg) : arg).toArray();
        Cli run = Cli.run(parts);
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.err()).singleElement().asString().contains(message);
        assertThat(Cli.names(folder)).isEmpty();
    }

    /** The very file, another part of the same model, and what has names that no network has. */
    @Test
    void whatIsReadIsNotWrittenOnto() throws IOException {
        Path model = TestModel.copy(folder.resolve("m"));
        Path denoiser = model.resolve("transformer/diffusion_pytorch_model.safetensors");
        Path vae = model.resolve("vae/diffusion_pytorch_model.safetensors");
        byte[] before = Files.readAllBytes(vae);
        for (Path target : List.of(denoiser, vae)) {
            Cli run = Cli.run("convert", model, "-o", target, "--overwrite");
            assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
            assertThat(run.err()).singleElement().asString().startsWith("jdiffusion: " + target + ": is read as ");
        }
        assertThat(vae).hasBinaryContent(before);
        for (Path target : List.of(model.resolve("x.safetensors"), model.resolve("transformer/../vae/x.gguf"),
                model.resolve("transformer/other"))) {
            Cli run = Cli.run("convert", model, "-o", target);
            assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
            assertThat(run.err()).singleElement().asString().isEqualTo("jdiffusion: " + target
                    + ": is in the folder of the model that is read, " + model + "; name an output outside");
            assertThat(target).doesNotExist();
        }
        Files.copy(vae, denoiser, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        Cli run = Cli.run("convert", model, "-o", folder.resolve("x.safetensors"));
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.err()).singleElement().asString().contains(denoiser.toString());
        assertThat(folder.resolve("x.safetensors")).doesNotExist();
    }

    @Test
    void aQuantisedPictureInTilesIsRepeatedFromItsFile() throws IOException {
        Path file = folder.resolve("a.png");
        assertThat(Cli.run("generate", "a star", "-W", 192, "-H", 64, "--steps", 1, "--no-t5", "--quantize",
                "denoiser=nf4,*.attn.*=none", "--vae-tiling=on", "--vae-tile-size", 128, "-o", file).code()).isZero();
        Cli run = Cli.run("generate", "--from", file, "-o", folder.resolve("b.png"));
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).noneMatch(line -> line.contains("ignored"));
        assertThat(folder.resolve("b.png")).hasSameBinaryContentAs(file);
    }

    /** What memory chose once is chosen again where there is more of it. */
    @Test
    void tilesThatMemoryChoseAreInThePicturesSettings() throws IOException {
        Path file = folder.resolve("a.png");
        assertThat(Cli.run("generate", "a star", "-W", 512, "-H", 256, "--steps", 1, "--no-t5", "--vram", "30MiB",
                "-o", file).code()).isZero();
        assertThat(Cli.run("inspect", file).out()).contains("VAE tiling: on, VAE tile size: 384");
        assertThat(Cli.run("generate", "--from", file, "-o", folder.resolve("b.png")).code()).isZero();
        assertThat(folder.resolve("b.png")).hasSameBinaryContentAs(file);
        // Whoever wants it whole gets it whole.
        assertThat(Cli.run("generate", "--from", file, "--vae-tiling", "off", "-o", folder.resolve("c.png")).code())
                .isZero();
        assertThat(pixels("c.png")).isNotEqualTo(pixels("a.png"));
    }

    /** A limit on the size of files stands for a full disk. */
    @Test
    void aFullDisk() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/bin/bash")), "no bash");
        List<String> command = new ArrayList<>(List.of("/bin/bash", "-c", "ulimit -f 2000; exec \"$@\"", "bash"));
        command.addAll(ChildJvm.command(List.of("-XX:-UsePerfData"), "convert", TestModel.SHAPES, "-o",
                folder.resolve("x")));
        Process process = ChildJvm.process(command).start();
        List<String> lines = ChildJvm.lines(process);
        assertThat(process.waitFor()).as("%s", lines).isEqualTo(Main.BAD_INPUT);
        assertThat(lines).singleElement().asString().startsWith("jdiffusion: " + folder.resolve("x")
                + "/text_encoder_3/model.safetensors: cannot be written (").contains(", at tensor encoder.block.")
                .endsWith("; make room or name another place");
        assertThat(Cli.names(folder)).isEmpty();
    }
}
