package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Schedules and walks of diffusers' schedulers for diffusion models, with what the network was given and gave. */
class SchedulerReferenceTest {
    private static final Path FOLDER = Path.of("../../shared/reference/sdxl/scheduler");
    /** Where no powers or logarithms occur, to the bit. */
    private static final List<String> EXACT = List.of("euler", "euler.trailing", "euler.linspace", "euler_ancestral",
            "euler_ancestral.leading", "dpmpp_2m", "dpmpp_2m.trailing", "heun", "lms", "unipc", "deis", "dpmpp_3m",
            "dpmpp_2s");

    private static NoiseScheduler scheduler(JsonNode kind) {
        JsonNode config = kind.get("config");
        return config.get("_class_name").asText().startsWith("EDM") ? EdmScheduler.of(config, "test")
                : DiscreteScheduler.of(config, "test");
    }

    private static SamplerSettings settings(NoiseScheduler scheduler, JsonNode kind) {
        return kind.has("eta") ? scheduler.sampler().withEta(kind.get("eta").asDouble()) : scheduler.sampler();
    }

    private static List<String> names(JsonNode node) {
        List<String> names = new ArrayList<>();
        node.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static JsonNode read(String file) throws IOException {
        Assumptions.assumeTrue(Files.isDirectory(FOLDER), FOLDER + " is not there");
        return JsonTree.read(Files.readAllBytes(FOLDER.resolve(file)), file);
    }

    @TestFactory
    Stream<DynamicTest> levelsAndTimes() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (String file : List.of("schedules.json", "more.json")) {
            JsonNode all = read(file);
            for (String name : names(all)) {
                JsonNode kind = all.get(name);
                for (String steps : names(kind.get("steps"))) {
                    tests.add(DynamicTest.dynamicTest(name + " " + steps, () ->
                            compare(name, kind, Integer.parseInt(steps), kind.get("steps").get(steps))));
                }
            }
        }
        return tests.stream();
    }

    private static void compare(String name, JsonNode kind, int steps, JsonNode expected) {
        NoiseScheduler scheduler = scheduler(kind);
        SamplerSettings settings = settings(scheduler, kind);
        Sigmas plain = scheduler.sigmas(steps, 0);
        Sigmas sigmas = settings.evaluations(plain, scheduler.prediction());
        boolean exact = EXACT.contains(name);
        equal(sigmas.timesteps(), expected.get("timesteps"), exact, 1e-6f * Math.abs(plain.timestep(0)));
        double start = scheduler instanceof DiscreteScheduler s && s.rules().preserving()
                ? plain.startFactor() * scheduler.prediction().input(plain.sigma(0)) : plain.startFactor();
        assertThat(start).isCloseTo(expected.get("init_noise_sigma").asDouble(), within(1e-6 * start));
        if (expected.has("sigmas") && settings.kind() != Sampler.Kind.DPM2
                && settings.kind() != Sampler.Kind.DPM2_ANCESTRAL) {
            equal(sigmas.toArray(), expected.get("sigmas"), exact, 2e-9f);
        }
        if (expected.has("alphas_cumprod")) {
            BetaTable table = ((DiscreteScheduler) scheduler).table();
            for (int i = 0; i < steps; i++) {
                assertThat(table.product((int) plain.timestep(i)))
                        .isEqualTo((float) expected.get("alphas_cumprod").get(i).asDouble());
                double target = 1 / (1 + Math.pow(plain.target(i), 2));
                assertThat(target).isCloseTo(expected.get("alphas_cumprod_next").get(i).asDouble(), within(1e-7));
            }
        }
    }

    /**
     * To the bit where that is possible, but for the level at timestep 21: torch takes roots by its power function,
     * which is off by one float step where the root lies in the middle between two floats.
     */
    private static void equal(float[] values, JsonNode expected, boolean exact, float least) {
        assertThat(values).hasSize(expected.size());
        int steps = 0;
        for (int i = 0; i < values.length; i++) {
            float wanted = (float) expected.get(i).asDouble();
            if (exact && Math.abs(values[i] - wanted) <= Math.ulp(wanted)) {
                steps += values[i] == wanted ? 0 : 1;
            } else if (exact) {
                assertThat(values[i]).as("number %d", i).isEqualTo(wanted);
            } else {
                assertThat(values[i]).as("number %d", i).isCloseTo(wanted, within(Math.max(least,
                        2e-6f * Math.abs(wanted))));
            }
        }
        assertThat(steps).as("numbers that are one float step off").isLessThanOrEqualTo(1);
    }

    @TestFactory
    Stream<DynamicTest> walks() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (String[] files : new String[][] {{"schedules.json", "walks.safetensors"},
            {"more.json", "more_walks.safetensors"}}) {
            JsonNode all = read(files[0]);
            for (String name : names(all)) {
                JsonNode kind = all.get(name);
                for (String steps : names(kind.get("walk_seeds"))) {
                    tests.add(DynamicTest.dynamicTest(name + " " + steps, () -> walk(name, kind,
                            Integer.parseInt(steps), kind.get("walk_seeds").get(steps).asLong(),
                            FOLDER.resolve(files[1]))));
                }
            }
        }
        return tests.stream();
    }

    private static void walk(String name, JsonNode kind, int steps, long seed, Path file) {
        NoiseScheduler scheduler = scheduler(kind);
        SamplerSettings settings = settings(scheduler, kind);
        Prediction prediction = scheduler.prediction();
        Sigmas sigmas = settings.evaluations(scheduler.sigmas(steps, 0), prediction);
        boolean preserving = scheduler instanceof DiscreteScheduler s && s.rules().preserving();
        String prefix = name + ".steps" + steps + ".";
        try (SafetensorsFile io = SafetensorsFile.open(file);
                CpuBackend backend = new CpuBackend(1, Precision.F32);
                Workspace workspace = backend.newWorkspace(1 << 20)) {
            float[] start = io.find(prefix + "start").toArray();
            Tensor x = workspace.f32(1, 1, 1, start.length);
            Tensor output = workspace.f32(1, 1, 1, start.length);
            Sampler sampler = settings.create(sigmas, prediction, workspace, x);
            backend.upload(scaled(start, preserving ? root(sigmas.sigma(0)) : 1), x);
            TorchRandom random = new TorchRandom(seed);
            int[] drawn = {0};
            double lost = 0;
            for (int i = 0; i < sigmas.evaluations(); i++) {
                int at = i;
                double before = rms(backend.download(x));
                close(scaled(backend.download(x), prediction.input(sigmas.sigma(i))),
                        io.find(prefix + "scaled." + i).toArray(), lost, "scaled " + i);
                backend.upload(io.find(prefix + "model_output." + i).toArray(), output);
                sampler.step(backend, 0, i, output, x, out -> {
                    float[] normals = new float[start.length];
                    random.normals(normals);
                    assertThat(normals).as("noise %d", at).isEqualTo(io.find(prefix + "noise." + at).toArray());
                    backend.upload(normals, out);
                    drawn[0]++;
                });
                lost = Math.max(lost, before);
                double next = i + 1 < sigmas.evaluations() ? sigmas.sigma(i + 1) : 0;
                close(scaled(backend.download(x), preserving ? 1 / root(next) : 1),
                        io.find(prefix + "latents." + i).toArray(), lost, "latents " + i);
            }
            long expected = io.names().stream().filter(n -> n.startsWith(prefix + "noise.")).count();
            assertThat(drawn[0]).isEqualTo((int) expected);
        }
    }

    private static double root(double sigma) {
        return Math.sqrt(1 + sigma * sigma);
    }

    private static float[] scaled(float[] values, double factor) {
        float[] scaled = values.clone();
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] *= (float) factor;
        }
        return scaled;
    }

    private static double rms(float[] values) {
        double square = 0;
        for (float value : values) {
            square += value * (double) value;
        }
        return Math.sqrt(square / values.length);
    }

    /** To what float32 carries through some steps; a step that takes away nearly all leaves its rounding. */
    private static void close(float[] values, float[] expected, double before, String what) {
        assertThat(values).hasSameSizeAs(expected);
        float[] off = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            off[i] = values[i] - expected[i];
        }
        assertThat(rms(off)).as(what).isLessThan(5e-6 * rms(expected) + 1e-7 * before);
    }
}
