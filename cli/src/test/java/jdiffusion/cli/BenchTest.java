package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code bench}, on models that compute in a moment. */
class BenchTest {
    private static Cli bench(String arguments) {
        return Cli.run((Object[]) ("bench --tiny --runs 1 " + arguments).trim().split(" +"));
    }

    @Test
    void eachPartIsMeasured() throws IOException {
        Cli run = bench("gemm attention conv denoiser vae text image -W 32 -H 16 --text 3 --steps 1 --json");
        assertThat(run.code()).as(String.join("\n", run.err())).isZero();
        JsonNode root = new ObjectMapper().readTree(run.out());
        assertThat(root.get("family").textValue()).isEqualTo("sd35-medium");
        assertThat(root.get("precision").textValue()).isEqualTo("bf16");
        assertThat(root.get("runs").intValue()).isEqualTo(1);
        List<String> parts = new ArrayList<>();
        for (JsonNode row : root.get("measurements")) {
            parts.add(row.get("part").textValue());
            double seconds = row.get("median_seconds").doubleValue();
            assertThat(seconds).as(row.toString()).isPositive();
            assertThat(row.get("seconds")).hasSize(1);
            assertThat(row.get("seconds").get(0).doubleValue()).isEqualTo(seconds);
            assertThat(row.get("spread").doubleValue()).isZero();
            assertThat(row.get("flops_per_second").doubleValue()).isEqualTo(row.get("flops").doubleValue() / seconds);
            assertThat(row.get("share_of_peak").doubleValue()).isPositive();
            assertThat(row.get("bytes").longValue()).isPositive();
            assertThat(row.get("workspace_bytes").longValue()).isPositive();
        }
        assertThat(parts.stream().distinct()).containsExactly("gemm", "attention", "conv", "denoiser", "vae", "text",
                "image");
        assertThat(parts.stream().filter(part -> part.equals("text"))).hasSize(3);
        JsonNode gemm = root.get("measurements").get(0);
        // 2 patches of 16x16 pixels and 77 + 3 tokens of text, 2 heads of 64 channels.
        assertThat(gemm.get("what").textValue()).isEqualTo("82x128x128");
        assertThat(gemm.get("flops").doubleValue()).isEqualTo(2.0 * 82 * 128 * 128);
        int operand = CpuBackend.operandType(Precision.BF16, null).bytes();
        assertThat(gemm.get("bytes").longValue()).isEqualTo(operand * 82 * 128 * 2 + 2 * 128 * 128);
        JsonNode image = root.get("measurements").get(parts.indexOf("image"));
        assertThat(image.get("products_share").doubleValue()).isBetween(0.0, 1.0);
    }

    /** Products of fp8 have weights of a byte; nothing else has such weights here. */
    @Test
    void productsOfFloat8() throws IOException {
        Cli run = bench("-W 32 -H 16 --text 3 --precision fp8 --device cpu --json");
        assertThat(run.code()).as(String.join("\n", run.err())).isZero();
        JsonNode root = new ObjectMapper().readTree(run.out());
        assertThat(root.get("precision").textValue()).isEqualTo("fp8");
        assertThat(root.get("measurements").findValuesAsText("part")).containsOnly("gemm");
        JsonNode gemm = root.get("measurements").get(0);
        assertThat(gemm.get("what").textValue()).isEqualTo("82x128x128");
        assertThat(gemm.get("bytes").longValue()).isEqualTo(4 * 82 * 128 * 2 + 128 * 128);
        Cli other = bench("gemm attention --precision fp8");
        assertThat(other.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(other.err().getLast()).contains("which only gemm has here; use 'bench gemm', or another precision");
    }

    @Test
    void productsOfFloat8OnTheEmulatedDevice() {
        String obstacle = EmulatedDevice.obstacle();
        Assumptions.assumeFalse(obstacle != null && obstacle.contains("needs a C compiler"), () -> "skipped: " + obstacle);
        Cli run = bench("gemm -W 32 -H 16 --text 3 --precision fp8 --device emulated --emulator-capability 8.9");
        assertThat(run.code()).as(String.join("\n", run.err())).isZero();
        assertThat(run.out().lines()).anyMatch(line -> line.startsWith("gemm 82x128x128 "))
                .anyMatch(line -> line.startsWith("kernels: linear_fp8_e4m3"));
        Cli refused = bench("gemm --precision fp8 --device emulated");
        assertThat(refused.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(refused.err().getLast()).contains("--precision fp8 cannot be used on");
    }

    @Test
    void withoutAPartOperationsAreMeasuredAndTheirTableFits() {
        Cli run = bench("--family sd35-large --size 16 --cpu vector --threads 1 --precision f32 --text 1");
        assertThat(run.code()).isZero();
        List<String> lines = run.out().lines().toList();
        assertThat(lines).allMatch(line -> line.length() <= 110);
        assertThat(lines.getFirst()).startsWith("what ").contains("GFLOP/s", "% of peak");
        assertThat(lines).anyMatch(line -> line.startsWith("gemm 79x192x768 "))
                .anyMatch(line -> line.startsWith("attention [1, 3, 79, 64] "))
                .anyMatch(line -> line.startsWith("conv [1, 16, 16, 32] 3x3 to 3 "))
                .anyMatch(line -> line.contains("Vector API")).anyMatch(line -> line.startsWith("peak: "));
        assertThat(run.err()).contains("gemm 79x192x192");
    }

    @Test
    void aTinyDenoiserIsMeasuredAtASizeThatItKnows() {
        Cli run = bench("denoiser");
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).contains("denoiser 128x128, batch 2, 333 tokens of text");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "bench unet             | 'unet' cannot be measured; use gemm, attention, conv, blocks, denoiser, vae, text, image",
        "bench --runs 0         | --runs is 0; use 1 to 1000",
        "bench --runs many      | Invalid value for option '--runs'",
        "bench image --steps 0  | --steps is 0",
        "bench gemm --steps 3   | --steps 3 is for image, which is not measured; add image",
        "bench --size 100       | a size of 100x100 cannot be measured; use multiples of 16 up to 2048",
        "bench -W 0             | a size of 0x512",
        "bench --size 99999984  | a size of 99999984x99999984",
        "bench --batch 0        | a batch of 0 cannot be measured",
        "bench --text 0         | the T5 length is 0; use 1 to 512",
        "bench --family sd9     | 'sd9' is no family; use sd3-medium, sd35-medium, sd35-large",
        "bench --precision f64  | precision 'f64' is unknown",
        "bench --cpu sse        | --cpu sse is unknown",
        "bench --threads 0      | --threads is 0",
        "bench --tiny gemm denoiser --size 208 | a width of 208 is beyond this model's table of positions; at most 192",
        "bench --tiny image -H 1024 | a height of 1024 is beyond this model's table of positions; at most 192"})
    void whatCannotBeMeasured(String arguments, String message) {
        Cli run = Cli.run((Object[]) arguments.split(" "));
        assertThat(run.err()).singleElement().asString().startsWith("jdiffusion: ").contains(message);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
    }
}
