package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;

/**
 * Samplers on a flow whose solution is known: for images of mean 0 and standard deviation s, the best denoiser gives
 * D = x s^2 (1 - t) / (s^2 (1 - t)^2 + t^2), and x moves along x1 sqrt(s^2 (1 - t)^2 + t^2).
 */
class SamplerTest {
    private static final double SPREAD = 0.5;

    private static double velocity(double x, double t) {
        double variance = SPREAD * SPREAD * (1 - t) * (1 - t) + t * t;
        double denoised = x * SPREAD * SPREAD * (1 - t) / variance;
        return (x - denoised) / t;
    }

    /** The error at the end of {@code steps} steps from x = 1. */
    private static double error(Sampler.Kind kind, int steps, SigmaSchedule schedule) {
        try (var backend = new CpuBackend(1, Precision.F32); Workspace workspace = backend.newWorkspace(1 << 20)) {
            Sigmas sigmas = kind.settings().evaluations(Sigmas.of(schedule, steps, SchedulerConfig.ofShift(1), 16),
                    Prediction.VELOCITY);
            Tensor x = workspace.f32(1, 1, 3, 5);
            Tensor v = workspace.f32(1, 1, 3, 5);
            float[] values = new float[15];
            java.util.Arrays.fill(values, 1);
            backend.upload(values, x);
            Sampler sampler = kind.settings().create(sigmas, Prediction.VELOCITY, workspace, x);
            for (int i = 0; i < sigmas.evaluations(); i++) {
                float[] at = backend.download(x);
                for (int j = 0; j < at.length; j++) {
                    at[j] = (float) velocity(at[j], sigmas.sigma(i));
                }
                backend.upload(at, v);
                sampler.step(backend, 0, i, v, x);
            }
            float[] end = backend.download(x);
            assertThat(end).containsOnly(end[0]);
            return Math.abs(end[0] - SPREAD);
        }
    }

    @Test
    void eulerIsOfFirstOrder() {
        double coarse = error(Sampler.Kind.EULER, 20, SigmaSchedule.SGM_UNIFORM);
        double fine = error(Sampler.Kind.EULER, 40, SigmaSchedule.SGM_UNIFORM);
        assertThat(coarse / fine).isCloseTo(2, within(0.3));
    }

    @Test
    void heunIsOfSecondOrder() {
        double coarse = error(Sampler.Kind.HEUN, 20, SigmaSchedule.SGM_UNIFORM);
        double fine = error(Sampler.Kind.HEUN, 40, SigmaSchedule.SGM_UNIFORM);
        assertThat(coarse / fine).isGreaterThan(3);
        assertThat(coarse).isLessThan(error(Sampler.Kind.EULER, 20, SigmaSchedule.SGM_UNIFORM) / 3);
    }

    /** Where the levels fall evenly in log sigma, which its extrapolation assumes. */
    @Test
    void dpmSolverIsOfSecondOrder() {
        double coarse = error(Sampler.Kind.DPMPP_2M, 80, SigmaSchedule.EXPONENTIAL);
        double fine = error(Sampler.Kind.DPMPP_2M, 160, SigmaSchedule.EXPONENTIAL);
        assertThat(coarse / fine).as(coarse + " and " + fine).isGreaterThan(3);
        assertThat(error(Sampler.Kind.DPMPP_2M, 20, SigmaSchedule.EXPONENTIAL))
                .isLessThan(error(Sampler.Kind.EULER, 20, SigmaSchedule.EXPONENTIAL) / 2);
    }

    @Test
    void namesOfOtherToolsAreKnown() {
        assertThat(Sampler.Kind.of("DPM++ 2M")).isEqualTo(Sampler.Kind.of("dpm++2m")).isEqualTo(Sampler.Kind.DPMPP_2M);
        assertThat(Sampler.Kind.of("Euler")).isEqualTo(Sampler.Kind.EULER);
    }
}
