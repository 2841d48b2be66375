package jdiffusion.model.verify;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.mmdit.Mmdit;
import jdiffusion.model.mmdit.MmditRun;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.Checkpoint;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** Recomputes reference folders and compares every tensor in them. */
public final class Verifier {
    private static final String SKIP = "output.skip_layers_";

    private final Backend backend;
    private final double tolerance;
    private final Path model;
    private final Path defaultModel;

    /**
     * @param tolerance    relative RMS error that a tensor may have
     * @param model        the model for all pipeline folders; null for the one that each names
     * @param defaultModel the model for pipeline folders that name none
     */
    public Verifier(Backend backend, double tolerance, Path model, Path defaultModel) {
        this.backend = backend;
        this.tolerance = tolerance;
        this.model = model;
        this.defaultModel = defaultModel;
    }

    /** Recomputes one folder. */
    public List<Comparison> verify(ReferenceFolder folder) {
        Path path = folder.path();
        try (SafetensorsFile io = SafetensorsFile.open(path.resolve(ReferenceFolder.IO));
                Workspace workspace = backend.newWorkspace()) {
            Expected expected = new Expected(path.toString(), io, tolerance);
            switch (folder.kind()) {
                case DENOISER -> denoiser(path, expected, workspace);
                case CLIP -> clip(path, expected, workspace);
                case T5 -> t5(path, expected, workspace);
                case VAE -> vae(path, expected, workspace);
                case PIPELINE -> new PipelineVerifier(backend, model, defaultModel).verify(path, expected);
            }
            return expected.finish();
        }
    }

    /** Compares each traced tensor that the reference has, in the reference's order of dimensions. */
    private Compute compute(Expected expected, Workspace workspace) {
        Trace trace = (name, tensor) -> {
            if (expected.has(name)) {
                expected.compare(name, tensor.shape(), backend.download(tensor));
            }
        };
        return new Compute(backend, workspace, trace);
    }

    private void denoiser(Path path, Expected expected, Workspace workspace) {
        Tensor latents = upload(workspace, expected.input("latents", 4));
        Tensor context = upload(workspace, expected.input("context", 3));
        Tensor pooled = upload(workspace, expected.input("pooled", 2));
        float[] timesteps = expected.input("timestep", 1).toArray();
        Shape s = latents.shape();
        try (Checkpoint file = Checkpoint.open(path, "diffusion_pytorch_model");
                Placement weights = backend.newPlacement()) {
            Mmdit model = Mmdit.load(Weights.of(file, weights), config(path));
            if (timesteps.length != s.dim(0) || context.shape().dim(0) != s.dim(0)
                    || pooled.shape().dim(0) != s.dim(0) || s.dim(1) != model.config().inChannels()
                    || context.cols() != model.config().contextDim() || pooled.cols() != model.config().pooledDim()) {
                throw new InputException(path + ": latents " + s + ", context " + context.shape() + ", pooled "
                        + pooled.shape() + " and " + timesteps.length + " timesteps do not fit " + model.config());
            }
            Tensor velocity = workspace.f32(s.dim(0), model.config().outChannels(), s.dim(2), s.dim(3));
            MmditRun run = new MmditRun(model, compute(expected, workspace), s.dim(0), s.dim(2), s.dim(3),
                    context.shape().dim(1));
            run.setText(context, pooled);
            run.velocity(latents, timesteps, List.of(), velocity);
            expected.compare("output", velocity.shape(), backend.download(velocity));
            // The blocks' tensors were compared above; a run that skips some has others of the same names.
            MmditRun quiet = new MmditRun(model, new Compute(backend, workspace), s.dim(0), s.dim(2), s.dim(3),
                    context.shape().dim(1));
            quiet.setText(context, pooled);
            for (String name : new ArrayList<>(expected.names())) {
                if (name.startsWith(SKIP)) {
                    quiet.velocity(latents, timesteps, layers(path, name), velocity);
                    expected.compare(name, velocity.shape(), backend.download(velocity));
                }
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

    private void clip(Path path, Expected expected, Workspace workspace) {
        int[][] ids = expected.indices("input_ids");
        try (Checkpoint file = Checkpoint.open(path, "model");
                Placement weights = backend.newPlacement()) {
            ClipTextEncoder model = ClipTextEncoder.load(Weights.of(file, weights), config(path));
            checkIds(path, ids, model.config().vocabulary());
            model.apply(compute(expected, workspace), ids);
        }
    }

    private void t5(Path path, Expected expected, Workspace workspace) {
        int[][] ids = expected.indices("input_ids");
        try (Checkpoint file = Checkpoint.open(path, "model");
                Placement weights = backend.newPlacement()) {
            T5Encoder model = T5Encoder.load(Weights.of(file, weights), config(path));
            checkIds(path, ids, model.config().vocabulary());
            model.apply(compute(expected, workspace), ids);
        }
    }

    private void vae(Path path, Expected expected, Workspace workspace) {
        try (Checkpoint file = Checkpoint.open(path, "diffusion_pytorch_model");
                Placement weights = backend.newPlacement()) {
            Vae model = Vae.load(Weights.of(file, weights), config(path));
            Compute compute = new Compute(backend, workspace);
            if (expected.has("image")) {
                Tensor moments = model.encode(compute, upload(workspace, expected.input("image", 4)));
                int channels = model.config().latentChannels();
                int batch = moments.shape().dim(0);
                int plane = moments.shape().dim(2) * moments.shape().dim(3);
                float[] all = backend.download(moments);
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
                Tensor latents = upload(workspace, expected.input("latents", 4));
                if (latents.shape().dim(1) != model.config().latentChannels()) {
                    throw new InputException(path + ": latents " + latents.shape() + " do not fit a VAE of "
                            + model.config().latentChannels() + " channels");
                }
                Tensor image = model.decode(compute, latents);
                expected.compare("decoded", image.shape(), backend.download(image));
            }
        }
    }

    private static ConfigFile config(Path path) {
        return ConfigFile.read(path.resolve("config.json"));
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

    private Tensor upload(Workspace workspace, Tensor input) {
        Tensor tensor = workspace.f32(input.shape().dims());
        backend.upload(input.toArray(), tensor);
        return tensor;
    }
}
