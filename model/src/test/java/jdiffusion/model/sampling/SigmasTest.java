package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.List;
import jdiffusion.model.TestData;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The constants are what diffusers 0.40 (normal, karras, exponential, beta, Heun) and ComfyUI (simple, sgm_uniform)
 * compute with numpy 2.4, scipy 1.17 and torch 2.13, written so that each is one float. All comparisons here are
 * exact: rounding to float32 hides the last bits of powers and logarithms in every case that was compared.
 */
class SigmasTest {
    private static final int ANY_SIZE = 1024;

    @Test
    void equalAllReferenceSchedules() {
        var cases = TestData.json(TestData.reference().resolve("scheduler/sigmas.json"));
        assertThat(cases.size()).isEqualTo(30);
        for (var entry : cases.properties()) {
            var name = entry.getKey();
            var schedule = name.contains("karras") ? SigmaSchedule.KARRAS
                    : name.contains("exponential") ? SigmaSchedule.EXPONENTIAL : SigmaSchedule.NORMAL;
            double shift = Double.parseDouble(name.replaceAll(".*shift(.*)\\.steps.*", "$1"));
            int steps = Integer.parseInt(name.replaceAll(".*steps", ""));
            var sigmas = Sigmas.of(schedule, steps, SchedulerConfig.ofShift(shift), ANY_SIZE);
            assertThat(sigmas.toArray()).as(name).isEqualTo(floats(entry.getValue().required("sigmas")));
            assertThat(timesteps(sigmas)).as(name).isEqualTo(floats(entry.getValue().required("timesteps")));
        }
    }

    @Test
    void equalTheSigmasOfAllReferencePipelines() throws IOException {
        var model = TestData.reference().resolveSibling("models/shapes/scheduler/scheduler_config.json");
        var standard = Files.exists(model) ? ((FlowScheduler) NoiseScheduler.read(model,
                FlowScheduler.ofShift(1))).config() : SchedulerConfig.ofShift(1);
        try (var folders = Files.list(TestData.reference().resolve("pipelines"))) {
            assertThat(folders.peek(folder -> checkPipeline(folder, standard))).hasSizeGreaterThan(10);
        }
    }

    private static void checkPipeline(Path folder, SchedulerConfig standard) {
        var request = TestData.json(folder.resolve("request.json"));
        var config = request.has("shift") ? standard.withShift(request.get("shift").doubleValue()) : standard;
        var sigmas = Sigmas.of(config.schedule(), request.get("steps").intValue(), config, ANY_SIZE);
        if (request.path("sampler").asText().equals("heun")) {
            sigmas = sigmas.heun();
        }
        var file = folder.resolve("io.safetensors");
        assertThat(sigmas.toArray()).as(folder.toString()).isEqualTo(TestData.floats(file, "sigmas"));
        // One stored latent per evaluation that was run.
        long run = TestData.names(file).stream().filter(name -> name.startsWith("latents.")).count();
        int start = sigmas.start(request.path("strength").asDouble(1));
        assertThat(sigmas.evaluations() - start).as(folder.toString()).isEqualTo((int) run);
    }

    @Test
    void schedulesOfSixStepsAtShiftThree() {
        var expected = Map.of(
                SigmaSchedule.NORMAL,
                new float[] {1f, 0.9233425f, 0.81892335f, 0.6683267f, 0.43222508f, 0.008928572f, 0f},
                SigmaSchedule.KARRAS,
                new float[] {1f, 0.48550758f, 0.21688621f, 0.08723195f, 0.030608548f, 0.008928572f, 0f},
                SigmaSchedule.EXPONENTIAL,
                new float[] {1f, 0.38918528f, 0.15146518f, 0.058948018f, 0.0229417f, 0.008928572f, 0f},
                SigmaSchedule.BETA,
                new float[] {1f, 0.87817574f, 0.64053744f, 0.36839116f, 0.1307528f, 0.008928572f, 0f});
        expected.forEach((schedule, sigmas) -> assertThat(make(schedule, 6, 3)).as(schedule.label())
                .isEqualTo(sigmas));
    }

    @Test
    void schedulesWithoutShift() {
        assertThat(make(SigmaSchedule.NORMAL, 6, 1))
                .containsExactly(1f, 0.8002f, 0.6004f, 0.4006f, 0.2008f, 0.001f, 0f);
        assertThat(make(SigmaSchedule.BETA, 6, 1))
                .containsExactly(1f, 0.8772012f, 0.6376617f, 0.3633383f, 0.12379883f, 0.001f, 0f);
    }

    @Test
    void schedulesOfComfyUi() {
        assertThat(make(SigmaSchedule.SIMPLE, 7, 1))
                .containsExactly(1f, 0.858f, 0.715f, 0.572f, 0.429f, 0.286f, 0.143f, 0f);
        assertThat(make(SigmaSchedule.SIMPLE, 7, 3)).containsExactly(
                1f, 0.94771713f, 0.8827161f, 0.80037314f, 0.69268024f, 0.5458015f, 0.33359253f, 0f);
        assertThat(make(SigmaSchedule.SGM_UNIFORM, 7, 1)).containsExactly(
                1f, 0.8572857f, 0.7145714f, 0.57185715f, 0.42914283f, 0.28642857f, 0.14371428f, 0f);
        assertThat(make(SigmaSchedule.SGM_UNIFORM, 7, 3)).containsExactly(
                1f, 0.9475425f, 0.8827878f, 0.80083734f, 0.69379306f, 0.54804564f, 0.3379722f, 0f);
        // One of these levels needs the fused operation of torch.linspace.
        assertThat(make(SigmaSchedule.SGM_UNIFORM, 8, 3)).containsExactly(
                1f, 0.9546938f, 0.90035903f, 0.83399796f, 0.7511211f, 0.64468634f, 0.50298506f, 0.30500895f, 0f);
    }

    @Test
    void timestepsAreRoundedSigmasTimesThousand() {
        var sigmas = Sigmas.of(SigmaSchedule.NORMAL, 6, SchedulerConfig.ofShift(3), ANY_SIZE);
        assertThat(timesteps(sigmas))
                .containsExactly(1000f, 923.3425f, 818.92334f, 668.32666f, 432.22507f, 8.928572f);
    }

    @ParameterizedTest
    @CsvSource({
        "256,  EXPONENTIAL, 0.83201087, 0.6229292,  0.35557637, 0.0016476525",
        "8160, EXPONENTIAL, 0.9496867,  0.8629389,  0.67771715, 0.006250411",
        "1024, LINEAR,      0.654281,   0.3869774,  0.17412762, 0.0006302332",
        "4096, LINEAR,      0.7755132,  0.53538126, 0.27790964, 0.0011498276",
    })
    void dynamicShiftFollowsTheImageSize(int tokens, SchedulerConfig.TimeShiftType type, float second, float third,
            float fourth, float fifth) {
        var config = new SchedulerConfig(1000, 1, true, 0.5, 1.15, 256, 4096, 0, type, SigmaSchedule.NORMAL,
                Sampler.Kind.EULER.settings(), List.of());
        assertThat(Sigmas.of(SigmaSchedule.NORMAL, 5, config, tokens).toArray())
                .containsExactly(1f, second, third, fourth, fifth, 0f);
    }

    @Test
    void terminalStretchesTheLevels() {
        var still = new SchedulerConfig(1000, 3, false, 0.5, 1.15, 256, 4096, 0.1,
                SchedulerConfig.TimeShiftType.EXPONENTIAL, SigmaSchedule.NORMAL, Sampler.Kind.EULER.settings(), List.of());
        assertThat(Sigmas.of(SigmaSchedule.NORMAL, 5, still, ANY_SIZE).toArray())
                .containsExactly(1f, 0.90951526f, 0.77399105f, 0.5486567f, 0.1f, 0f);
        var dynamic = new SchedulerConfig(1000, 3, true, 0.5, 1.15, 256, 4096, 0.1,
                SchedulerConfig.TimeShiftType.EXPONENTIAL, SigmaSchedule.NORMAL, Sampler.Kind.EULER.settings(), List.of());
        assertThat(Sigmas.of(SigmaSchedule.KARRAS, 5, dynamic, 1024).toArray())
                .containsExactly(1f, 0.60134506f, 0.34748298f, 0.1916383f, 0.1f, 0f);
        assertThat(Sigmas.of(SigmaSchedule.NORMAL, 1, still, ANY_SIZE).toArray()).containsExactly(1f, 0f);
    }

    @Test
    void heunListsInnerLevelsTwice() {
        var sigmas = Sigmas.of(SigmaSchedule.NORMAL, 4, SchedulerConfig.ofShift(3), ANY_SIZE).heun();
        assertThat(sigmas.toArray()).containsExactly(
                1f, 0.8576923f, 0.8576923f, 0.60215056f, 0.60215056f, 0.008928572f, 0.008928572f, 0f);
        assertThat(timesteps(sigmas)).containsExactly(
                1000f, 857.6923f, 857.6923f, 602.1506f, 602.1506f, 8.928572f, 8.928572f);
        assertThatThrownBy(sigmas::heun).isInstanceOf(IllegalStateException.class);
        var single = Sigmas.of(SigmaSchedule.NORMAL, 1, SchedulerConfig.ofShift(3), ANY_SIZE).heun();
        assertThat(single.toArray()).containsExactly(1f, 0f);
    }

    /** By Python's int(max(n - min(n * strength, n), 0)), but for the last case, where it leaves out all steps. */
    @ParameterizedTest
    @CsvSource({
        "10, 0.6, 4", "10, 0.8, 2", "28, 0.3, 19", "1, 0.1, 0", "7, 0.5, 3", "10, 0.05, 9", "50, 0.29, 35",
        "3, 1, 0", "100, 0.29, 71", "100, 0.57, 43", "10000, 1e-300, 9999",
    })
    void strengthLeavesOutTheFirstSteps(int steps, double strength, int start) {
        var sigmas = Sigmas.of(SigmaSchedule.NORMAL, steps, SchedulerConfig.ofShift(3), ANY_SIZE);
        assertThat(sigmas.start(strength)).isEqualTo(start);
        assertThat(sigmas.heun().start(strength)).isEqualTo(2 * start);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -0.5, 1.0000001, Double.NaN, Double.POSITIVE_INFINITY})
    void strengthOutsideItsRangeIsRefused(double strength) {
        var sigmas = Sigmas.of(SigmaSchedule.NORMAL, 4, SchedulerConfig.ofShift(3), ANY_SIZE);
        assertThatThrownBy(() -> sigmas.start(strength)).isInstanceOf(InputException.class)
                .hasMessage("strength is " + strength + "; use a number above 0 and at most 1");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, Integer.MIN_VALUE, 10_001, Integer.MAX_VALUE})
    void stepsOutsideTheirRangeAreRefused(int steps) {
        var config = SchedulerConfig.ofShift(3);
        assertThatThrownBy(() -> Sigmas.of(SigmaSchedule.NORMAL, steps, config, ANY_SIZE))
                .isInstanceOf(InputException.class).hasMessage(steps + " steps are asked for; use 1 to 10000");
    }

    /** The others start below, as their originals do. */
    @ParameterizedTest
    @EnumSource(value = SigmaSchedule.class, names = {"DDIM_UNIFORM", "LEADING", "LINSPACE", "TRAILING", "KL_OPTIMAL"},
            mode = EnumSource.Mode.EXCLUDE)
    void levelsFallFromOneToZeroForAllSettings(SigmaSchedule schedule) {
        for (int steps : new int[] {1, 2, 3, 17, 1000, 1001, Sigmas.MAX_STEPS}) {
            for (double shift : new double[] {0.01, 0.7, 1, 3, 1.7, 100}) {
                var sigmas = make(schedule, steps, shift);
                assertThat(sigmas).hasSize(steps + 1);
                assertThat(sigmas[0]).isCloseTo(1, within(1e-3f));
                assertThat(sigmas[steps]).isZero();
                for (int i = 0; i < steps; i++) {
                    if (!(sigmas[i] > 0 && sigmas[i + 1] <= sigmas[i])) {
                        throw new AssertionError(schedule + ", " + steps + " steps, shift " + shift + ", at " + i
                                + ": " + sigmas[i] + " and " + sigmas[i + 1]);
                    }
                }
            }
        }
    }

    @Test
    void schedulesAreFoundByNameInAnyCase() {
        for (var schedule : SigmaSchedule.values()) {
            assertThat(SigmaSchedule.of(schedule.label())).isEqualTo(schedule);
        }
        assertThat(SigmaSchedule.SGM_UNIFORM.label()).isEqualTo("sgm_uniform");
        assertThat(SigmaSchedule.of("Karras")).isEqualTo(SigmaSchedule.KARRAS);
        assertThatThrownBy(() -> SigmaSchedule.of("karas")).isInstanceOf(InputException.class).hasMessage(
                "schedule 'karas' is unknown; use one of normal, simple, sgm_uniform, karras, exponential, beta,"
                        + " ddim_uniform, kl_optimal, trailing, leading, linspace, discrete");
    }

    @ParameterizedTest
    @EnumSource(value = SigmaSchedule.class, names = {"DDIM_UNIFORM", "LEADING", "LINSPACE", "TRAILING", "KL_OPTIMAL"})
    void levelsOfTheTableFallToZero(SigmaSchedule schedule) {
        for (int steps : new int[] {1, 2, 3, 17, 20, 30, 500}) {
            for (double shift : new double[] {0.7, 1, 3}) {
                var sigmas = make(schedule, steps, shift);
                assertThat(sigmas.length - 1).isBetween(steps, schedule == SigmaSchedule.DDIM_UNIFORM ? 2 * steps
                        : steps);
                assertThat(sigmas[0]).isBetween(1e-3f * (float) Math.min(1, shift), 1f);
                for (int i = 0; i + 1 < sigmas.length; i++) {
                    assertThat(sigmas[i + 1]).isLessThan(sigmas[i]).isGreaterThanOrEqualTo(0);
                }
            }
        }
        assertThat(make(SigmaSchedule.TRAILING, 4, 1)).containsExactly(1f, 0.75f, 0.5f, 0.25f, 0f);
    }

    private static float[] make(SigmaSchedule schedule, int steps, double shift) {
        return Sigmas.of(schedule, steps, SchedulerConfig.ofShift(shift), ANY_SIZE).toArray();
    }

    private static float[] timesteps(Sigmas sigmas) {
        var times = new float[sigmas.evaluations()];
        for (int i = 0; i < times.length; i++) {
            times[i] = sigmas.timestep(i);
        }
        return times;
    }

    private static float[] floats(JsonNode array) {
        var values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) array.get(i).doubleValue();
        }
        return values;
    }
}
