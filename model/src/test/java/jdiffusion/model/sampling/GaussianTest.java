package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Samplers on images of mean m and standard deviation s in every pixel, whose best denoiser is known: D = m + w (x -
 * signal m) with w = signal s^2 / (signal^2 s^2 + sigma^2). Without noise a sampler must end where the ordinary
 * differential equation does, with the error falling as its order says; with noise at the images' mean and deviation.
 */
class GaussianTest {
    private static final double MEAN = 0.3;
    private static final double SPREAD = 0.5;
    private static final int NUMBERS = 60_000;

    private static final NoiseScheduler FLOW = FlowScheduler.ofShift(1);
    private static final List<NoiseScheduler> MODELS = List.of(FLOW,
            DiscreteScheduler.stableDiffusion(Prediction.EPSILON), DiscreteScheduler.stableDiffusion(Prediction.V),
            EdmScheduler.playground());

    /**
     * The best denoised estimate; for LCM, which wants a consistency model, the end of the equation's path.
     *
     * @param background the signal's share of the mean
     */
    private record Denoiser(double background, double weight) {
        static Denoiser of(Prediction p, double sigma, boolean consistency) {
            double signal = p.signal(sigma);
            double variance = signal * signal * SPREAD * SPREAD + sigma * sigma;
            double weight = consistency ? SPREAD / Math.sqrt(variance) : signal * SPREAD * SPREAD / variance;
            return new Denoiser(signal * MEAN, weight);
        }

        double at(double x) {
            return MEAN + weight * (x - background);
        }
    }

    /** The network that gives it. */
    private static float[] output(Prediction p, double sigma, float[] x, boolean consistency) {
        Denoiser denoiser = Denoiser.of(p, sigma, consistency);
        double skip = p.skip(sigma);
        double divisor = p.out(sigma);
        float[] out = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = (float) ((denoiser.at(x[i]) - skip * x[i]) / divisor);
        }
        return out;
    }

    /** Draws of so many numbers, one after the other, each made once. */
    private static IntFunction<float[]> draws(long seed, int numbers) {
        TorchRandom random = new TorchRandom(seed);
        List<float[]> drawn = new ArrayList<>();
        return draw -> {
            while (drawn.size() <= draw) {
                float[] normals = new float[numbers];
                random.normals(normals);
                drawn.add(normals);
            }
            return drawn.get(draw);
        };
    }

    private static float[] run(NoiseScheduler model, SamplerSettings settings, SigmaSchedule schedule, int steps,
                               float[] noise, long seed) {
        return run(model, settings, schedule, steps, noise, draws(seed, noise.length));
    }

    /** Runs from these numbers, unit noise, to images. */
    private static float[] run(NoiseScheduler model, SamplerSettings settings, SigmaSchedule schedule, int steps,
                               float[] noise, IntFunction<float[]> draws) {
        Prediction prediction = model.prediction();
        Sigmas sigmas = settings.evaluations(model.sigmas(schedule, steps, 0), prediction);
        try (var backend = new CpuBackend(1, Precision.F32); Workspace workspace = backend.newWorkspace(1 << 23)) {
            Tensor x = workspace.f32(1, 1, 1, noise.length);
            Tensor output = workspace.f32(1, 1, 1, noise.length);
            float[] start = noise.clone();
            for (int i = 0; i < start.length; i++) {
                start[i] *= (float) sigmas.startFactor();
            }
            backend.upload(start, x);
            int[] drawn = {0};
            Sampler sampler = settings.create(sigmas, prediction, workspace, x);
            for (int i = 0; i < sigmas.evaluations(); i++) {
                backend.upload(output(prediction, sigmas.sigma(i), backend.download(x),
                        settings.kind() == Sampler.Kind.LCM), output);
                sampler.step(backend, 0, i, output, x,
                        out -> backend.upload(draws.apply(drawn[0]++), out));
            }
            return backend.download(x);
        }
    }

    /**
     * Where the equation leads from a first level and noise of 1: to the last level, and from there to D; LMS follows
     * the equation to the end.
     */
    private static double exact(NoiseScheduler model, Sampler.Kind kind, SigmaSchedule schedule, int steps) {
        Sigmas sigmas = model.sigmas(schedule, steps, 0);
        Prediction p = model.prediction();
        double first = sigmas.sigma(0);
        double last = kind == Sampler.Kind.LMS ? 0 : sigmas.sigma(sigmas.evaluations() - 1);
        double x = MEAN * p.signal(last) + (sigmas.startFactor() - p.signal(first) * MEAN) * deviation(p, last)
                / deviation(p, first);
        return last == 0 ? x : Denoiser.of(p, last, false).at(x);
    }

    private static double deviation(Prediction p, double sigma) {
        return Math.hypot(p.signal(sigma) * SPREAD, sigma);
    }

    private static double error(NoiseScheduler model, Sampler.Kind kind, int steps) {
        double end = run(model, kind.settings().withEta(0), SigmaSchedule.KARRAS, steps, new float[] {1, 1, 1}, 0)[0];
        return Math.abs(end - exact(model, kind, SigmaSchedule.KARRAS, steps));
    }

    /** How many times smaller the error is with twice the steps: at least the power of two of the order, nearly. */
    @TestFactory
    Stream<DynamicTest> orders() {
        return MODELS.stream().flatMap(model -> Stream.of(Sampler.Kind.values())
                .filter(kind -> kind != Sampler.Kind.LCM)
                .map(kind -> DynamicTest.dynamicTest(kind.label() + " " + model.prediction(), () -> {
                    double least = switch (kind) {
                        case EULER, EULER_ANCESTRAL, DDIM -> 1.7;
                        default -> 2.9;
                    };
                    double coarse = error(model, kind, 100);
                    double fine = error(model, kind, 200);
                    // A flow's first level has no lambda; solvers in lambda begin at one with a little signal.
                    double floor = kind == Sampler.Kind.UNIPC && model == FLOW ? 1e-4 : 5e-6;
                    assertThat(fine).as("errors %s and %s", coarse, fine).isLessThan(Math.max(coarse / least, floor));
                })));
    }

    @TestFactory
    Stream<DynamicTest> noiseKeepsMeanAndDeviation() {
        float[] noise = new float[NUMBERS];
        new TorchRandom(5).normals(noise);
        IntFunction<float[]> draws = draws(9, NUMBERS);
        return MODELS.stream().flatMap(model -> Stream.of(Sampler.Kind.values()).filter(Sampler.Kind::isStochastic)
                .map(kind -> DynamicTest.dynamicTest(kind.label() + " " + model.prediction(), () -> {
                    float[] end = run(model, kind.settings(), SigmaSchedule.KARRAS, 150, noise, draws);
                    double mean = 0;
                    double square = 0;
                    for (float value : end) {
                        mean += value / NUMBERS;
                        square += value * (double) value / NUMBERS;
                    }
                    double deviation = Math.sqrt(square - mean * mean);
                    assertThat(mean).isCloseTo(MEAN, within(0.02));
                    assertThat(deviation).isCloseTo(SPREAD, within(0.04));
                })));
    }

    @Test
    void sameSeedSameNumbers() {
        float[] noise = {0.5f, -1, 0.25f, 1.5f};
        for (Sampler.Kind kind : Sampler.Kind.values()) {
            float[] first = run(FLOW, kind.settings(), SigmaSchedule.SIMPLE, 6, noise, 3);
            assertThat(run(FLOW, kind.settings(), SigmaSchedule.SIMPLE, 6, noise, 3)).isEqualTo(first);
            if (kind.isStochastic()) {
                assertThat(run(FLOW, kind.settings(), SigmaSchedule.SIMPLE, 6, noise, 4)).isNotEqualTo(first);
            }
        }
    }
}
