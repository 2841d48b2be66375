package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.profile.Profile;
import jdiffusion.kernels.profile.ProfilingBackend;
import jdiffusion.model.family.Progress;
import jdiffusion.model.pipeline.Pipeline;
import org.junit.jupiter.api.Test;

/** What the engine counts, as the server tells it. */
class MetricsTest {
    private static String metrics(TestServer server) throws IOException, InterruptedException {
        return new String(server.get("/metrics").body(), StandardCharsets.UTF_8);
    }

    private static double value(String metrics, String name) {
        Matcher matcher = Pattern.compile("^" + Pattern.quote(name) + " (\\S+)$", Pattern.MULTILINE).matcher(metrics);
        assertThat(matcher.find()).as(name + " in\n" + metrics).isTrue();
        return Double.parseDouble(matcher.group(1));
    }

    /** FLOPs of the kinds of operations whose names end so, in one picture. */
    private static double flops(Profile profile, String kind) {
        return profile.events().stream().map(Profile.Event::operation)
                .filter(operation -> operation.kind().toLowerCase().endsWith(kind))
                .mapToDouble(operation -> operation.flops()).sum();
    }

    @Test
    void theEnginesOwnCountersAreTold() throws IOException, InterruptedException {
        try (TestServer server = new TestServer(); CpuBackend cpu = new CpuBackend(2, Precision.F32, null)) {
            assertThat(value(metrics(server), "jdiffusion_flops_total{kind=\"linear\"}")).isZero();
            server.await(server.job("{\"prompt\":\"a star\",\"seed\":1," + TestServer.QUICK + "}").get("id").asText(),
                    "completed");
            ProfilingBackend profiling = new ProfilingBackend(cpu);
            try (Pipeline pipeline = Pipeline.open(TestServer.SHAPES, profiling)) {
                pipeline.generate(pipeline.request("a star").toBuilder().size(32, 32).steps(2).build(), Progress.NONE);
            }
            String metrics = metrics(server);
            Profile profile = profiling.profile();
            assertThat(value(metrics, "jdiffusion_flops_total{kind=\"linear\"}")).isPositive()
                    .isEqualTo(flops(profile, "linear"));
            assertThat(value(metrics, "jdiffusion_flops_total{kind=\"attention\"}")).isPositive()
                    .isEqualTo(flops(profile, "attention"));
            assertThat(value(metrics, "jdiffusion_flops_total{kind=\"convolution\"}")).isPositive()
                    .isEqualTo(flops(profile, "conv2d"));
            // On the CPU weights stay in mapped files, and nothing is drawn now.
            assertThat(value(metrics, "jdiffusion_device_memory_bytes{device=\"cpu\",kind=\"live\"}")).isZero();
            assertThat(value(metrics, "jdiffusion_nan_total")).isZero();
            assertThat(value(metrics, "jdiffusion_cancelled_total")).isZero();
        }
    }

    @Test
    void whatEndsBadlyIsCounted() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            String overflowing = server.job("{\"prompt\":\"a star\",\"guidance\":3e38," + TestServer.QUICK + "}").get("id")
                    .asText();
            server.await(overflowing, "failed");
            String cancelled = server.job(TestServer.LONG).get("id").asText();
            server.send(server.request("/api/v1/jobs/" + cancelled).DELETE());
            server.await(cancelled, "cancelled");
            String metrics = metrics(server);
            assertThat(value(metrics, "jdiffusion_nan_total")).isEqualTo(1);
            assertThat(value(metrics, "jdiffusion_cancelled_total")).isEqualTo(1);
        }
    }
}
