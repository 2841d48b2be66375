package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.cuda.CudaDriver;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What cannot be drawn ends with exit code 2, one line that says why, and no file. */
class BadInputTest {
    @TempDir
    private Path folder;

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', value = {
        "-W 100                         | a width of 100 is not a multiple of 16; 96 or 112 would work",
        "-H 0                           | a height of 0 is not a multiple of 16; 16 is the smallest",
        "-W -16                         | a width of -16",
        "-W 528                         | a width of 528 is beyond this model's table of positions; at most 512",
        "-W 2147483647                  | at most 512 works",
        "-W wide                        | Invalid value for option '--width': 'wide'",
        "--steps 0                      | 0 steps are asked for",
        "--steps 1.5                    | Invalid value for option '--steps'",
        "-s -2                          | the seed is '-2'; use a whole number from 0 to 18446744073709551615",
        "-s lucky                       | the seed is 'lucky'",
        "-s 18446744073709551616        | from 0 to 18446744073709551615, or 'random'",
        "--cfg-scale NaN                | the guidance scale is NaN",
        "--cfg-scale -1                 | the guidance scale is -1.0",
        "--guidance-rescale 1.5         | the guidance rescale is 1.5; use 0 (off) to 1",
        "--guidance-rescale NaN         | the guidance rescale is NaN",
        "--vae-tiling red               | --vae-tiling red is unknown; use auto, on or off",
        "--vae-tiling off --vae-tile-size 256 | --vae-tiling off and --vae-tile-size 256 contradict each other",
        "--no-clip-l --clip-l x         | --no-clip-l leaves CLIP-L out, but --clip-l x gives it",
        "--no-t5 --t5xxl x              | --no-t5 leaves T5 out, but --t5xxl x gives it",
        "--no-t5 --t5-length 77         | --no-t5 leaves T5 out, but --t5-length 77 is for it",
        "--lora-dir none                | --lora-dir none is not a folder",
        "--lora-dir pom.xml             | --lora-dir pom.xml is not a folder",
        "-n <lora:x:0.5>                | the negative prompt names a LoRA, <lora:x:0.5>, which only the prompt can",
        "-b 0                           | --batch-count is 0",
        "-b 1000000000                  | --batch-count is 1000000000",
        "-b 2 -s 18446744073709551615   | the seeds of 2 pictures from 18446744073709551615 on are too large",
        "--sampling-method ddpm         | sampler 'ddpm' is unknown; use one of euler, euler_ancestral, heun, dpm2",
        "--scheduler never              | schedule 'never' is unknown; use one of normal",
        "--eta 0.5                      | an eta of 0.5 is given, but the amount of noise that the sampler euler draws",
        "--eta 0.5 --sampling-method lcm | take one of euler_ancestral, dpm2_ancestral, dpmpp_2s_ancestral",
        "--eta -1 --sampling-method ddim | eta is -1.0; use 0 (no noise) to 10",
        "--eta NaN --sampling-method ddim | eta is NaN",
        "--sigmas 1,x                   | --sigmas: 'x' is no noise level; give numbers like",
        "--sigmas 1,0.5,0.5,0           | noise level 3 is 0.5 and the one before it 0.5; each must be below",
        "--sigmas 1,0,0.5               | noise level 2 is 0.0; all but a last one of 0 must be above 0",
        "--sigmas 0                     | noise level 1 is 0.0",
        "--sigmas 1,NaN                 | noise level 2 is NaN",
        "--sigmas 14.6,7,0              | the first noise level is 14.6; this model knows levels up to 1.0",
        "--sigmas 1,0.5 --steps 2       | --sigmas gives every noise level, on which --steps 2 does not act",
        "--sigmas 1 --scheduler karras  | on which --scheduler karras does not act; leave one of the two options out",
        "--sigmas 1 --flow-shift 3      | on which --flow-shift 3.0 does not act",
        "--flow-shift 0                 | shift is 0.0",
        "--flow-shift NaN               | --flow-shift is NaN",
        "--t5-length 0                  | the T5 length is 0; use 1 to 512",
        "--t5-length 900                | the T5 length is 900; use 1 to 512",
        "--skip-layers a                | --skip-layers: 'a' is no layer",
        "--skip-layers 99               | layer 99 cannot be skipped; this model has layers 0 to 3",
        "--slg-scale 2                  | give --skip-layers",
        "--skip-layers 1 --slg-scale -1 | the skip-layer guidance scale is -1.0",
        "--skip-layers 1 --skip-layer-end 2 | both must lie between 0 and 1",
        "--precision f64                | precision 'f64' is unknown; use f32, bf16, bf16x2, bf16x3, f16 or fp8",
        "--device cpu --precision f16   | --precision f16 is for CUDA devices; on the CPU use f32, bf16 or fp8",
        "--device cpu --precision fp8   | --precision fp8 is for weights that are stored as fp8, and",
        "--device cuda --precision f32  | --precision f32 is for the CPU",
        "--device cuda --precision bf16x3 | --precision bf16x3 is for the CPU; CUDA devices compute",
        "--cpu vector --precision bf16x2 | --precision bf16x2 needs the CPU level amx, but ",
        "--device cuda:one              | --device cuda:one is unknown; use auto, cpu, cuda, cuda:N or emulated",
        "--device cuda:                 | --device cuda: is unknown",
        "--device cuda:-1               | --device cuda:-1 is unknown",
        "--device CUDA:+1               | --device CUDA:+1 is unknown",
        "--device cuda:99999999999      | --device cuda:99999999999 is unknown",
        "--device tpu                   | --device tpu is unknown; use auto, cpu, cuda, cuda:N or emulated",
        "--device cpu,cpu               | --device cpu,cpu: two devices may be cuda:0,cuda:1 or emulated,emulated; the CPU",
        "--device cuda:0,cpu            | two devices may be cuda:0,cuda:1 or emulated,emulated",
        "--device auto,auto             | two devices may be cuda:0,cuda:1 or emulated,emulated",
        "--device cuda:0,emulated       | --device cuda:0,emulated names devices of two kinds",
        "--device cuda:1,CUDA:1         | --device cuda:1,CUDA:1 names cuda:1 twice; name two different devices, or one",
        "--device cuda,cuda:0           | names cuda:0 twice",
        "--device emulated:0,emulated:0 | names emulated:0 twice",
        "--device cuda:0,cuda:1,cuda:2  | names 3 devices; guidance has two branches, so name one or two",
        "--device cuda:0,               | --device cuda:0, is unknown; use auto, cpu, cuda, cuda:N or emulated",
        "--device cuda:0,cuda:x         | --device cuda:0,cuda:x is unknown",
        "--device emulated,emulated --emulator-profile | --emulator-profile counts what one device does",
        "--device cpu --gemm cublas     | --kernels, --gemm and --conv are for CUDA devices",
        "--device cuda --gemm mkl       | --gemm mkl is unknown; use own or cublas",
        "--device cuda --conv own2      | --conv own2 is unknown; use own or cudnn",
        "--device cuda --kernels none   | --kernels none is not a folder",
        "--emulator-check               | need --device emulated",
        "--emulator-report r.html       | need --device emulated",
        "--device emulated --emulator-report none/r.html | --emulator-report none/r.html: there is no folder",
        "--emulator-memory 1G           | need --device emulated",
        "--emulator-capability 9.0      | need --device emulated",
        "--device emulated --emulator-capability 8.6 | --emulator-capability 8.6 is unknown; use 8.0, 8.9 or 9.0",
        "--device emulated --emulator-memory 0B | '0B' is no amount of memory; use for example 512MiB or 1.5GiB",
        "--device emulated --emulator-memory 9999999999GiB | '9999999999GiB' is no amount of memory",
        "--cpu avx                      | --cpu avx is unknown; use amx, avx512bf16, avx512, avx2 or vector",
        "--device cuda --cpu avx2       | --cpu is for --device cpu, not for --device cuda",
        "--cpu vector --gemm cublas     | --kernels, --gemm and --conv are for CUDA devices",
        "--threads 0                    | --threads is 0; use 1 to 1024",
        "--device cuda --threads 0      | --threads is 0; use 1 to 1024",
        "--device cuda:7 --threads -3   | --threads is -3; use 1 to 1024",
        "--device emulated --threads -1 | --threads is -1; use 1 to 1024",
        "--gemm cublas --threads 2000   | --threads is 2000; use 1 to 1024",
        "--preview 0                    | --preview is 0",
        "--strength 0.5                 | give one with -i",
        "--mask m.png                   | needs an init image; give one with -i",
        "-i nothing.png                 | nothing.png: there is no such file",
        "--from nothing.png             | nothing.png: there is no such file",
        "--model nowhere                | nowhere: there is no such model",
        "--model .                      | not a model in the diffusers layout",
        "--model pom.xml                | pom.xml: not a file of weights; .safetensors files",
        "--clip-l none.safetensors      | none.safetensors: there is no such file",
        "--clip_g none.gguf             | none.gguf: there is no such file",
        "--vae pom.xml                  | pom.xml: not a file of weights",
        "--tokenizer none               | --tokenizer none is not a folder",
        "--variant sdxl                 | the variant 'sdxl' is unknown; use one of sd3-medium",
        "--variant sd3.5-large          | --variant says sd3.5-large, but the denoiser is SD3.5 Medium",
        "--no-t5 --no-clip-l --no-clip-g | nothing reads the prompt; keep one of them",
        "--unknown                      | Unknown option: '--unknown'",
        "--stepz 3                      | is --steps meant?; see jdiffusion generate --help",
        "-W wide                        | 'wide' is not a whole number that fits; see",
        "--cfg-scale much               | 'much' is not a number; see",
        "--steps                        | Missing required parameter for option '--steps'",
        "red circle                     | put the prompt in quotes"})
    void option(String options, String message) throws IOException {
        List<Object> args = new ArrayList<>(List.of("generate", "a", "-o", folder.resolve("x.png")));
        args.addAll(List.of(options.split(" +")));
        check(Cli.run(args.toArray()), message, List.of());
    }

    /** A CUDA device that is asked for is never replaced by the CPU. */
    @Test
    void noDriver() throws IOException {
        Assumptions.assumeFalse(CudaDriver.isInstalled(), "there is an NVIDIA driver here");
        Object[] args = {"generate", "a", "-o", folder.resolve("x.png"), "--device", "cuda"};
        check(Cli.run(args), "there is no NVIDIA driver on this machine", List.of());
        Cli list = Cli.run("devices");
        assertThat(list.code()).isZero();
        assertThat(list.out()).containsPattern("cpu +usable").containsPattern("vector +usable: for --cpu vector")
                .containsPattern("cuda +not usable: there is no NVIDIA")
                .containsPattern("cublas +not usable: .*libcublas");
    }

    @Test
    void promptOrCommandMissing() throws IOException {
        check(Cli.run("generate"), "the prompt is missing", List.of());
        check(Cli.run(), "a command is missing", List.of());
        check(Cli.run("paint"), "Unmatched argument at index 0: 'paint'", List.of());
        check(Cli.run("genrate", "a"), "is generate meant?", List.of());
        check(Cli.run("generate", "--", "-red", "--steps", 2), "behind -- all is text, so options stand before it",
                List.of());
    }

    /** An empty name would be that of the working folder. */
    @Test
    void emptyNames() throws IOException {
        check(Cli.run("inspect", ""), "'' is no file name", List.of());
        for (String option : new String[] {"-o", "--model", "--vae", "-i", "--from", "--lora-dir", "--tokenizer"}) {
            check(Cli.draw("a", option, ""), "'' is no file name", List.of());
        }
    }

    @Test
    void outputs() throws IOException {
        check(Cli.draw("a", "-o", folder.resolve("no/x.png")), "there is no folder " + folder.resolve("no"),
                List.of());
        check(Cli.draw("a", "-o", folder.resolve("x.jpg")), "pictures are written as PNG", List.of());
        check(Cli.draw("a", "-o", folder.resolve("%d-%d.png")), "only one %d", List.of());
        check(Cli.draw("a", "-o", folder.resolve("x".repeat(300) + ".png")), "cannot be written", List.of());
        check(Cli.draw("a", "--preview", 1, "-o", folder.resolve("x".repeat(245) + ".png")), "cannot be written",
                List.of());
        Files.createDirectory(folder.resolve("d"));
        Files.createDirectory(folder.resolve("d/x-0002.png"));
        check(Cli.draw("a", "-b", 2, "-o", folder.resolve("d/x.png")), "is there and is no plain file",
                List.of("d"));
        assertThat(Cli.names(folder.resolve("d"))).containsExactly("x-0002.png");
    }

    @Test
    void outputFolderThatTakesNoFiles() throws IOException {
        Path proc = Path.of("/proc/jdiffusion-test.png");
        assumeTrue(Files.isDirectory(proc.getParent()), "there is no /proc on this system");
        check(Cli.draw("a", "-o", proc), "allows no new files", List.of());
    }

    @Test
    void initImages() throws IOException {
        Path out = folder.resolve("x.png");
        Path text = Files.writeString(folder.resolve("text.png"), "This is no picture, whatever its name says.");
        check(Cli.draw("a", "-i", text, "-o", out), "text.png: is not a picture that can be read", List.of("text.png"));
        Files.delete(text);

        Path huge = Files.write(folder.resolve("huge.png"), header(100_000, 100_000));
        check(Cli.draw("a", "-i", huge, "-o", out), "huge.png: the picture is 100000x100000, more than 64 million",
                List.of("huge.png"));
        Files.delete(huge);

        Path cut = Cli.picture(folder.resolve("cut.png"), 64, 64);
        Files.write(cut, Arrays.copyOf(Files.readAllBytes(cut), (int) Files.size(cut) / 2));
        check(Cli.draw("a", "-i", cut, "-o", out), "cut.png: the picture c", List.of("cut.png"));
        Files.delete(cut);

        Path jpeg = Cli.picture(folder.resolve("cut.jpg"), 64, 64);
        Files.write(jpeg, Arrays.copyOf(Files.readAllBytes(jpeg), (int) Files.size(jpeg) * 3 / 4));
        check(Cli.draw("a", "-i", jpeg, "-o", out), "cut.jpg: the picture is cut off", List.of("cut.jpg"));
        Files.delete(jpeg);

        check(Cli.draw("a", "-i", folder, "-o", out), "is a folder", List.of());
        Path empty = Files.createFile(folder.resolve("empty.png"));
        check(Cli.draw("a", "-i", empty, "-o", out), "empty.png: is empty", List.of("empty.png"));
    }

    @Test
    void masks() throws IOException {
        Path init = Cli.picture(folder.resolve("init.png"), 64, 64);
        Path mask = Cli.picture(folder.resolve("mask.png"), 32, 64);
        List<String> given = List.of("init.png", "mask.png");
        check(Cli.draw("a", "-i", init, "--mask", mask, "-o", folder.resolve("x.png")),
                "the mask is 32x64, the picture 64x64", given);
        for (String strength : List.of("0", "1.5", "-1", "NaN")) {
            check(Cli.draw("a", "-i", init, "--strength", strength, "-o", folder.resolve("x.png")), "strength", given);
        }
    }

    @Test
    void picturesToRepeat() throws IOException {
        Path plain = Cli.picture(folder.resolve("plain.png"), 16, 16);
        check(Cli.run("generate", "--from", plain, "-o", folder.resolve("x.png")), "the picture carries no settings",
                List.of("plain.png"));
        String tail = ", Size: 64x64, Model: shapes, Version: v1.10";
        repeat("a\nSteps: many, Sampler: Euler, Seed: 1" + tail, "the picture's 'Steps' is 'many', not a whole number");
        repeat("a\nSteps: 2, Sampler: Euler, Seed: 1, Size: big, Model: shapes", "'Size' is 'big'");
        repeat("a\nSteps: 2, Sampler: Euler, Seed: x" + tail, "the picture's 'Seed' is 'x', not a whole number");
        repeat("{\"my_prompt\": \"a\"}", "its settings are JSON of a program that is not known");
        repeat("a\nSteps: 2, Sampler: Euler, Seed: 1, Denoising strength: 0.5" + tail, "was drawn from an init image");
        repeat("a\nSteps: 2, Sampler: Euler, Seed: 1, Size: 64x64, Model: sd3.5_medium",
                "was drawn with the model 'sd3.5_medium'; give its folder with --model");
    }

    private void repeat(String text, String message) throws IOException {
        Path file = folder.resolve("from.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", text), file);
        check(Cli.run("generate", "--from", file, "-o", folder.resolve("x.png")), message,
                List.of("from.png", "plain.png"));
    }

    @Test
    void damagedModels() throws IOException {
        Path out = folder.resolve("x.png");
        Path model = TestModel.copy(folder.resolve("m"));
        Path weights = model.resolve("transformer/diffusion_pytorch_model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);

        Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
        check(Cli.draw("a", "--model", model, "-o", out), "diffusion_pytorch_model.safetensors", List.of("m"));

        byte[] renamed = bytes.clone();
        int at = new String(bytes, 0, 60_000, StandardCharsets.ISO_8859_1).indexOf("proj_out.weight");
        renamed[at] = 'q';
        Files.write(weights, renamed);
        check(Cli.draw("a", "--model", model, "-o", out), "proj_out.weight is missing", List.of("m"));

        Files.write(weights, bytes);
        Path decoder = model.resolve("vae/diffusion_pytorch_model.safetensors");
        byte[] whole = Files.readAllBytes(decoder);
        byte[] other = whole.clone();
        at = new String(whole, 0, 30_000, StandardCharsets.ISO_8859_1).indexOf("decoder.conv_norm_out.weight");
        other[at + 8] = 'q';
        Files.write(decoder, other);
        check(Cli.draw("a", "--model", model, "-o", out), "missing decoder.conv_norm_out.weight", List.of("m"));
        Files.write(decoder, whole);

        // A NaN is found only by computing with it, so the lines of the run come before.
        byte[] damaged = bytes.clone();
        damaged[bytes.length - 1] = 0x7f;
        damaged[bytes.length - 2] = (byte) 0xc0;
        Files.write(weights, damaged);
        Cli run = Cli.draw("a", "--model", model, "-o", out);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().stream().filter(line -> line.startsWith("jdiffusion: "))).singleElement()
                .asString().contains("holds NaN");
        assertThat(Cli.names(folder)).containsExactly("m");
    }

    @Test
    void unknownFamily() throws IOException {
        Path model = TestModel.copy(folder.resolve("m"));
        Path index = model.resolve("model_index.json");
        Files.writeString(index, Files.readString(index).replace("StableDiffusion3Pipeline", "KolorsPipeline"));
        check(Cli.draw("a", "--model", model, "-o", folder.resolve("x.png")), "the family 'KolorsPipeline' is unknown",
                List.of("m"));
    }

    private void check(Cli run, String message, List<String> left) throws IOException {
        assertThat(run.err()).hasSize(1);
        assertThat(run.err().getFirst()).startsWith("jdiffusion: ").contains(message);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(Cli.names(folder)).isEqualTo(left);
    }

    /** The start of a PNG file that claims a size. */
    private static byte[] header(int width, int height) {
        byte[] bytes = Png.encode(new Picture(1, 1, new byte[3]), Map.of());
        ByteBuffer.wrap(bytes).putInt(16, width).putInt(20, height);
        java.util.zip.CRC32 crc = new java.util.zip.CRC32();
        crc.update(bytes, 12, 17);
        ByteBuffer.wrap(bytes).putInt(29, (int) crc.getValue());
        return bytes;
    }
}
