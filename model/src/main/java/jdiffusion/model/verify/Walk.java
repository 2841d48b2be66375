package jdiffusion.model.verify;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.sampling.TorchRandom;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Workspace;

/**
 * One walk of a sampler over a schedule, with outputs of a network that are given. Latents of variance-preserving
 * schedulers are x / sqrt(1 + sigma^2) in the reference, and x here.
 *
 * @param seed   of the noise that is drawn
 * @param prefix of the names of its tensors
 * @param output name of the network's outputs
 */
record Walk(NoiseScheduler scheduler, SamplerSettings settings, int steps, long seed, String prefix, String output) {
    /** What float32 carries through some steps. */
    private static final double CARRIED = 5e-6;
    /** A step that takes away nearly all of its latents leaves their rounding. */
    private static final double ROUNDING = 1e-7;
    /** The evaluation at whose level {@code add_noise} puts noise on a picture. */
    private static final int NOISED = 2;
    private static final long WORKSPACE = 16 << 20;

    /** Whether a scheduler's latents are variance-preserving in diffusers. */
    static boolean preserves(NoiseScheduler scheduler) {
        return scheduler instanceof DiscreteScheduler discrete && discrete.rules().preserving();
    }

    /**
     * All walks in a file, and noise put on pictures, on the CPU; tensors that belong to none of them count as wrong.
     *
     * @param noised pictures with noise
     */
    static List<Comparison> checkAll(Path file, TensorSource io, List<Walk> walks, List<Walk> noised) {
        Expected expected = new Expected(file.getParent().toString(), io, 1);
        try (CpuBackend backend = new CpuBackend(1, Precision.F32)) {
            for (Walk walk : walks) {
                try (Workspace workspace = backend.newWorkspace(WORKSPACE)) {
                    walk.check(backend, workspace, expected);
                }
            }
        }
        noised.stream().filter(one -> expected.has(one.prefix + "noisy")).forEach(one -> one.checkNoised(expected));
        return expected.finish();
    }

    private Sigmas evaluations() {
        return settings.evaluations(scheduler.sigmas(steps, 0), scheduler.prediction());
    }

    private void check(CpuBackend backend, Workspace workspace, Expected expected) {
        Sigmas sigmas = evaluations();
        Prediction prediction = scheduler.prediction();
        float[] start = values(expected, "start");
        Shape shape = expected.shape(prefix + "start");
        Tensor x = workspace.f32(1, 1, 1, start.length);
        Tensor out = workspace.f32(1, 1, 1, start.length);
        Sampler sampler = settings.create(sigmas, prediction, workspace, x);
        backend.upload(scaled(start, root(sigmas.sigma(0))), x);
        TorchRandom random = new TorchRandom(seed);
        double lost = 0;
        for (int i = 0; i < sigmas.evaluations(); i++) {
            int at = i;
            float[] before = backend.download(x);
            compare(expected, "scaled." + i, shape, scaled(before, prediction.input(sigmas.sigma(i))), lost);
            backend.upload(values(expected, output + i), out);
            sampler.step(backend, 0, i, out, x, drawn -> {
                float[] normals = new float[start.length];
                random.normals(normals);
                expected.compareDrawn(prefix + "noise." + at, shape, normals);
                backend.upload(normals, drawn);
            });
            lost = Math.max(lost, rms(before));
            double next = i + 1 < sigmas.evaluations() ? sigmas.sigma(i + 1) : 0;
            compare(expected, "latents." + i, shape, scaled(backend.download(x), 1 / root(next)), lost);
        }
    }

    /** x = signal image + sigma noise. */
    private void checkNoised(Expected expected) {
        float[] image = values(expected, "samples");
        float[] noise = values(expected, "noise");
        double sigma = evaluations().sigma(NOISED);
        double signal = scheduler.prediction().signal(sigma);
        float[] noisy = new float[image.length];
        for (int i = 0; i < noisy.length; i++) {
            noisy[i] = (float) ((signal * image[i] + sigma * noise[i]) / root(sigma));
        }
        compare(expected, "noisy", expected.shape(prefix + "noisy"), noisy, 0);
    }

    private float[] values(Expected expected, String name) {
        return expected.input(prefix + name, expected.shape(prefix + name).rank()).toArray();
    }

    private void compare(Expected expected, String name, Shape shape, float[] actual, double before) {
        if (expected.has(prefix + name)) {
            double size = rms(expected.values(prefix + name));
            expected.compareWithin(prefix + name, shape, actual, CARRIED + (size == 0 ? 0 : ROUNDING * before / size));
        }
    }

    /** What x is divided by to be the reference's. */
    private double root(double sigma) {
        return preserves(scheduler) ? Math.sqrt(1 + sigma * sigma) : 1;
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
}
