package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --device emulated}. Runs in a JVM of its own, since the stand-in driver stays loaded. */
class EmulatedDeviceTest {
    @TempDir
    private Path folder;

    /** So JCuda is bound to the emulated device, whichever test comes first, and not to a real driver. */
    @BeforeAll
    static void load() {
        String obstacle = EmulatedDevice.obstacle();
        Assumptions.assumeFalse(obstacle != null && obstacle.contains("needs a C compiler"),
                () -> "skipped: " + obstacle);
        EmulatedDevice.start(EmulatorOptions.defaults(), 1 << 20).close();
    }

    @Test
    void drawsChecksAndProfiles() throws IOException {
        Path picture = folder.resolve("x.png");
        Cli run = Cli.draw("a red circle", "--device", "emulated", "--emulator-check",
                "--emulator-profile", "-o", picture);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(Png.read(picture).picture().width()).isEqualTo(64);
        assertThat(run.err()).anyMatch(line -> line.startsWith("device: cuda, jdiffusion emulated device, bf16"))
                .anyMatch(line -> line.contains("precision bf16"))
                .anyMatch(line -> line.startsWith("linear_bf16_small"))
                .anyMatch(line -> line.contains("RTX 4090"));
    }

    /** Of a card that multiplies float8, and what others say; the picture is as far from the usual one as the CPU's. */
    @Test
    void productsOfFloat8() throws IOException {
        byte[] cpu = pixels("cpu.png", "--device", "cpu", "--precision", "fp8", "--quantize", "fp8");
        byte[] wide = pixels("wide.png", "--device", "cpu", "--quantize", "fp8");
        byte[] emulated = pixels("emulated.png", "--device", "emulated", "--emulator-capability", "8.9", "--precision",
                "fp8", "--quantize", "fp8");
        double ofRounding = meanDifference(cpu, wide);
        assertThat(ofRounding).as("what float8 changes").isBetween(0.05, 8.0);
        // Inputs that differ by bfloat16's last bit round to other numbers of float8, so the devices' pictures are no
        // closer to each other than to the one without; each is as far from that.
        assertThat(meanDifference(emulated, wide)).as("what float8 changes there").isBetween(0.05, 3 * ofRounding);
        assertThat(Png.read(folder.resolve("emulated.png")).texts().get("parameters")).contains("Precision: fp8");
        for (String[] refused : new String[][] {
            {"--emulator-capability", "8.0", "it has compute capability 8.0; products of float8 need 8.9"},
            {"--emulator-capability", "7.5", "--emulator-capability 7.5 is unknown; use 8.0, 8.9 or 9.0"},
            {"--gemm", "cublas", "use --gemm own with --precision fp8"}}) {
            Cli run = Cli.draw("a red circle", "--device", "emulated", "--precision", "fp8", "--quantize", "fp8",
                    refused[0], refused[1], "-o", folder.resolve("none.png"));
            assertThat(run.code()).isNotZero();
            assertThat(run.err()).anyMatch(line -> line.contains(refused[2]));
        }
    }

    @Test
    void aLoraAndAControlNetDoThereWhatTheyDoOnTheCpu() throws IOException {
        Path net = ControlOptionsTest.net(folder);
        Path lora = LoraOptionsTest.lora(folder, "one", 0.3f);
        Path edges = Cli.picture(folder.resolve("edges.png"), 64, 64);
        byte[] plain = pixels("plain.png", "--device", "cpu", "--precision", "bf16");
        byte[] cpu = pixels("cpu.png", "--device", "cpu", "--precision", "bf16", "--lora", lora, "--control-net", net,
                "--control-image", edges);
        byte[] emulated = pixels("emulated.png", "--device", "emulated", "--lora", lora, "--control-net", net,
                "--control-image", edges);
        assertThat(meanDifference(cpu, plain)).isGreaterThan(4);
        assertThat(meanDifference(emulated, cpu)).isLessThan(2);
        assertThat(pixels("two.png", "--device", "emulated:1,emulated:0", "--lora", lora, "--control-net", net,
                "--control-image", edges)).isEqualTo(emulated);
    }

    /** Over a dense matrix and over a quantised one, which there becomes a dense one. */
    @Test
    void doraDoesThereWhatItDoesOnTheCpu() throws IOException {
        Path dora = LoraOptionsTest.dora(folder, 256);
        for (String quantize : List.of("none", "nf4")) {
            byte[] plain = pixels("plain.png", "--device", "cpu", "--precision", "bf16", "--quantize", quantize);
            byte[] cpu = pixels("cpu.png", "--device", "cpu", "--precision", "bf16", "--quantize", quantize,
                    "--lora", dora + ":0.7");
            byte[] emulated = pixels("emulated.png", "--device", "emulated", "--quantize", quantize,
                    "--lora", dora + ":0.7");
            assertThat(meanDifference(cpu, plain)).isGreaterThan(4);
            assertThat(meanDifference(emulated, cpu)).isLessThan(2);
        }
    }

    /** With kernels of its own where there are such. */
    @Test
    void aDeviceOfCapability90DrawsTheSamePicture() throws IOException {
        Path file = folder.resolve("sm90.png");
        Cli run = Cli.draw("a cat", "--device", "emulated", "--emulator-capability", "9.0", "-o", file);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith(
                "device: cuda, jdiffusion emulated device, bf16, kernels for sm_90a"));
        byte[] cpu = pixels("cpu.png", "--device", "cpu", "--precision", "bf16");
        assertThat(meanDifference(Png.read(file).picture().rgb(), cpu)).isLessThan(2);
    }

    @Test
    void whatTwoDevicesCannotDoIsALine() throws IOException {
        assertThat(Cli.draw("a", "--device", "emulated,emulated:7", "-o", folder.resolve("x.png")).err().getLast())
                .isEqualTo("jdiffusion: there is no CUDA device 7; devices 0 to 1 are here");
        assertThat(Cli.draw("a", "--device", "emulated,emulated", "--profile", "-o", folder.resolve("x.png")).err()
                .getLast()).isEqualTo("jdiffusion: --profile measures one device at a time, which two are not; leave it"
                        + " out, or name one --device");
        // The second device loads its weights first.
        Cli run = Cli.draw("a", "--device", "emulated:1,emulated:0", "--emulator-memory", "16MiB", "--vram", "1GiB",
                "-o", folder.resolve("x.png"));
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.err()).contains("device: emulated:1, jdiffusion emulated device, bf16; emulated:0, jdiffusion"
                + " emulated device, bf16");
        assertThat(run.err().getLast()).startsWith("jdiffusion: emulated:0: out of device memory: ");
        assertThat(Cli.names(folder)).isEmpty();
    }

    private byte[] pixels(String name, Object... options) {
        List<Object> args = new ArrayList<>(List.of("a cat", "-o", folder.resolve(name)));
        args.addAll(List.of(options));
        Cli run = Cli.draw(args.toArray());
        assertThat(run.code()).as("%s", run.err()).isZero();
        return Png.read(folder.resolve(name)).picture().rgb();
    }

    private static double meanDifference(byte[] a, byte[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.abs((a[i] & 0xff) - (b[i] & 0xff));
        }
        return sum / a.length;
    }

    @Test
    void theProfileIsPartOfTheJson() throws IOException {
        Path page = folder.resolve("report.html");
        Cli run = Cli.draw("a", "--device", "emulated", "--emulator-profile", "--emulator-report", page, "--json", "-o",
                folder.resolve("x.png"));
        assertThat(run.code()).as(run.err().toString()).isZero();
        JsonNode kernels = new ObjectMapper().readTree(run.out()).get("kernels");
        assertThat(kernels.findValuesAsText("kernel")).contains("linear_bf16_small", "attention_64_bf16");
        assertThat(kernels.get(0).get("estimates").findValuesAsText("card")).contains("RTX 3060", "RTX 4090");
        assertThat(kernels.get(0).get("mmaFlops").longValue()).isPositive();
        assertThat(Files.readString(page)).contains("\"program\":\"jdiffusion generate\"", "\"name\":\"attention_64_bf16\"",
                "mma.sync.aligned", "\"name\":\"linear/gemm.cuh\"", "\"name\":\"attention/attention.cu\"")
                .doesNotContain("/*DATA*/", "/*SOURCE*/");
    }

    @Test
    void isListed() throws IOException {
        JsonNode list = new ObjectMapper().readTree(Cli.run("devices", "--json").out());
        assertThat(list.findValuesAsText("name")).contains("cpu", "emulated", "cublas", "cudnn", "compiler");
        for (JsonNode device : list) {
            if (device.get("name").asText().equals("emulated")) {
                assertThat(device.get("usable").asBoolean()).as(device.toString()).isTrue();
            }
        }
    }

    /** A kernel that somebody broke is named with its place, and no picture is left. */
    @Test
    void aFaultOfAChangedKernelIsOneLine() throws IOException {
        String source = resource("/jdiffusion/kernels/elementwise/elementwise.cu");
        Path kernels = Files.createDirectory(folder.resolve("kernels"));
        Files.writeString(kernels.resolve("elementwise.cu"), source.replaceFirst("(__launch_bounds__\\(\\w+\\) \\w+"
                + "\\([^{]*\\{)", "$1 if (blockIdx.x == 0 && threadIdx.x == 3) *(volatile int*)16 = 1;"));
        Cli run = Cli.draw("a", "--device", "emulated", "--kernels", kernels, "--emulator-report",
                folder.resolve("report.html"), "-o", folder.resolve("x.png"));
        Assumptions.assumeFalse(run.err().getLast().contains("kernels cannot be compiled"), "no compiler of kernels");
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.err().getLast()).startsWith("jdiffusion: cuda: ").contains("elementwise_", "thread 3", "st.",
                "; the line is of elementwise/elementwise.cu:");
        assertThat(run.err()).contains("wrote " + folder.resolve("report.html"));
        assertThat(Cli.names(folder)).containsExactly("kernels", "report.html");
        assertThat(Files.readString(folder.resolve("report.html"))).contains("\"fault\":\"OUT_OF_BOUNDS in kernel");
    }

    /** Enough for the text encoders and too little for the denoiser, of which --vram says otherwise. */
    @Test
    void memoryThatRunsOutOnTheWayIsOneLine() throws IOException {
        Cli run = Cli.draw("a", "--device", "emulated", "--emulator-memory", "16MiB", "--vram", "1GiB",
                "--emulator-profile", "--preview", 1, "-o", folder.resolve("x.png"));
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).anyMatch(line -> line.startsWith("encode text"))
                .anyMatch(line -> line.startsWith("linear_bf16_small"));
        assertThat(run.err().subList(0, run.err().size() - 1)).allMatch(line -> line.length() <= 120);
        assertThat(run.err().getLast()).matches("jdiffusion: cuda: out of device memory: \\d+ MiB more are needed,"
                + " and \\d+ of 16 MiB are free; a smaller size or batch needs less");
        assertThat(Cli.names(folder)).isEmpty();
    }

    @Test
    void theProfileOfARunThatFailsIsPrintedAsJsonToo() throws IOException {
        Cli run = Cli.draw("a", "--device", "emulated", "--emulator-memory", "16MiB", "--vram", "1GiB",
                "--emulator-profile", "--json", "-o", folder.resolve("x.png"));
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        JsonNode root = new ObjectMapper().readTree(run.out());
        assertThat(root.get("error").asText()).startsWith("cuda: out of device memory");
        assertThat(root.get("kernels").findValuesAsText("kernel")).contains("linear_bf16_small");
        assertThat(run.err().getLast()).isEqualTo("jdiffusion: " + root.get("error").asText());
    }

    private static String resource(String name) throws IOException {
        try (var in = EmulatedDeviceTest.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
