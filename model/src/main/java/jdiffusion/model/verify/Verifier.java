package jdiffusion.model.verify;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.mmdit.Mmdit;
import jdiffusion.model.mmdit.MmditRun;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.Checkpoint;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** Recomputes reference folders and compares every tensor in them. */
public final class Verifier {
    private static final String SKIP = "output.skip_layers_";

    private final Backend backend;
    private final double tolerance;
    private final Path model;
    private final ModelSources sources;
    private final Path defaultModel;

    /** With nothing said about models beside their paths. */
    public Verifier(Backend backend, double tolerance, Path model, Path defaultModel) {
        this(backend, tolerance, model, ModelSources.NONE, defaultModel);
    }

    /**
     * @param tolerance    relative RMS error that a tensor may have
     * @param model        the model for all pipeline folders; null for the one that each names
     * @param sources      what else the user says about it
     * @param defaultModel the model for pipeline folders that name none
     */
    public Verifier(Backend backend, double tolerance, Path model, ModelSources sources, Path defaultModel) {
        this.backend = backend;
        this.tolerance = tolerance;
        this.model = model;
        this.sources = sources;
        this.defaultModel = defaultModel;
    }

    /** Recomputes one folder. */
    public List<Comparison> verify(ReferenceFolder folder) {
        Path path = folder.path();
        try (SafetensorsFile io = SafetensorsFile.open(path.resolve(ReferenceFolder.IO))) {
            Expected expected = new Expected(path.toString(), io, tolerance);
            switch (folder.kind()) {
                case DENOISER -> run(path, Component.DENOISER, Mmdit::load, expected, this::denoiser);
                case CLIP -> run(path, Component.CLIP_L, ClipTextEncoder::load, expected, this::clip);
                case T5 -> run(path, Component.T5, T5Encoder::load, expected, this::t5);
                case VAE -> run(path, Component.VAE, Vae::load, expected, this::vae);
                case PIPELINE -> new PipelineVerifier(backend, model, sources, defaultModel).verify(path, expected);
            }
            return expected.finish();
        }
    }

    /** Recomputes one component's tensors. */
    private interface Check<M> {
        void run(Path path, Expected expected, Stage<M> stage);
    }

    private <M> void run(Path path, Component component, Stage.Loader<M> loader, Expected expected, Check<M> check) {
        ConfigFile config = ConfigFile.read(path.resolve("config.json"));
        Stages.run(backend, new Files(Checkpoint.open(path, component.weights()), config), false, component,
                loader, stage -> {
                    check.run(path, stage.counting() ? expected.blank() : expected, stage);
                    return null;
                }, _ -> { });
    }

    private record Files(Checkpoint tensors, ConfigFile config) implements ModelFiles.Open {
        @Override
        public void close() {
            tensors.close();
        }
    }

    /** Compares each traced tensor that the reference has, in the reference's order of dimensions. */
    private static Compute compute(Expected expected, Compute plain) {
        Trace trace = (name, tensor) -> {
            if (expected.has(name)) {
                expected.compare(name, tensor.shape(), plain.backend().download(tensor));
            }
        };
        return new Compute(plain.backend(), plain.workspace(), trace);
    }

    private void denoiser(Path path, Expected expected, Stage<Mmdit> stage) {
        Compute compute = stage.compute();
        Backend device = compute.backend();
        Mmdit denoiser = stage.model();
        Tensor latents = upload(compute, expected.input("latents", 4));
        Tensor context = upload(compute, expected.input("context", 3));
        Tensor pooled = upload(compute, expected.input("pooled", 2));
        float[] timesteps = expected.input("timestep", 1).toArray();
        Shape s = latents.shape();
        if (timesteps.length != s.dim(0) || context.shape().dim(0) != s.dim(0)
                || pooled.shape().dim(0) != s.dim(0) || s.dim(1) != denoiser.config().inChannels()
                || context.cols() != denoiser.config().contextDim()
                || pooled.cols() != denoiser.config().pooledDim()) {
            throw new InputException(path + ": latents " + s + ", context " + context.shape() + ", pooled "
                    + pooled.shape() + " and " + timesteps.length + " timesteps do not fit " + denoiser.config());
        }
        Tensor velocity = compute.workspace().f32(s.dim(0), denoiser.config().outChannels(), s.dim(2), s.dim(3));
        MmditRun run = new MmditRun(denoiser, compute(expected, compute), s.dim(0), s.dim(2), s.dim(3),
                context.shape().dim(1));
        run.setText(context, pooled);
        run.velocity(latents, timesteps, List.of(), velocity);
        expected.compare("output", velocity.shape(), device.download(velocity));
        // The blocks' tensors were compared above; a run that skips some has others of the same names.
        MmditRun quiet = new MmditRun(denoiser, compute, s.dim(0), s.dim(2), s.dim(3), context.shape().dim(1));
        quiet.setText(context, pooled);
        for (String name : new ArrayList<>(expected.names())) {
            if (name.startsWith(SKIP)) {
                quiet.velocity(latents, timesteps, layers(path, name), velocity);
                expected.compare(name, velocity.shape(), device.download(velocity));
            }
        }
    }

    private static List<Integer> layers(Path path, String name) {
        try {
            return Arrays.stream(name.substring(SKIP.length()).split("_")).map(Integer::valueOf).toList();
        } catch (NumberFormatException e) {
            throw new InputException(path + ": the tensor name " + name + " does not end in layer numbers", e);
        }
    }

    private void clip(Path path, Expected expected, Stage<ClipTextEncoder> stage) {
        int[][] ids = expected.indices("input_ids");
        checkIds(path, ids, stage.model().config().vocabulary());
        stage.model().apply(compute(expected, stage.compute()), ids);
    }

    private void t5(Path path, Expected expected, Stage<T5Encoder> stage) {
        int[][] ids = expected.indices("input_ids");
        checkIds(path, ids, stage.model().config().vocabulary());
        stage.model().apply(compute(expected, stage.compute()), ids);
    }

    private void vae(Path path, Expected expected, Stage<Vae> stage) {
        Compute compute = stage.compute();
        Vae vae = stage.model();
        if (expected.has("image")) {
            Tensor moments = vae.encode(compute, upload(compute, expected.input("image", 4)));
            int channels = vae.config().latentChannels();
            int batch = moments.shape().dim(0);
            int plane = moments.shape().dim(2) * moments.shape().dim(3);
            float[] all = compute.backend().download(moments);
            float[] mean = new float[all.length / 2];
            float[] logvar = new float[all.length / 2];
            for (int b = 0; b < batch; b++) {
                int half = channels * plane;
                System.arraycopy(all, 2 * b * half, mean, b * half, half);
                System.arraycopy(all, (2 * b + 1) * half, logvar, b * half, half);
            }
            for (int i = 0; i < logvar.length; i++) {
                logvar[i] = Math.clamp(logvar[i], Vae.LOGVAR_MIN, Vae.LOGVAR_MAX);
            }
            Shape shape = Shape.of(batch, channels, moments.shape().dim(2), moments.shape().dim(3));
            expected.compare("mean", shape, mean);
            expected.compare("logvar", shape, logvar);
        }
        if (expected.has("latents")) {
            Tensor latents = upload(compute, expected.input("latents", 4));
            if (latents.shape().dim(1) != vae.config().latentChannels()) {
                throw new InputException(path + ": latents " + latents.shape() + " do not fit a VAE of "
                        + vae.config().latentChannels() + " channels");
            }
            Tensor image = vae.decode(compute, latents);
            expected.compare("decoded", image.shape(), compute.backend().download(image));
        }
    }

    private static void checkIds(Path path, int[][] ids, int vocabulary) {
        for (int[] row : ids) {
            for (int id : row) {
                if (id < 0 || id >= vocabulary) {
                    throw new InputException(path + ": token id " + id + " is outside the vocabulary of "
                            + vocabulary);
                }
            }
        }
    }

    private static Tensor upload(Compute compute, Tensor input) {
        Tensor tensor = compute.workspace().f32(input.shape().dims());
        compute.backend().upload(input.toArray(), tensor);
        return tensor;
    }
}
