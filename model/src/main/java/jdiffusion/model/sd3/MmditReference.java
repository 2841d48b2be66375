package jdiffusion.model.sd3;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.stage.Stage;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Recomputes references of an MMDiT: one evaluation, and others with layers left out. */
final class MmditReference {
    static final ReferenceKind<Mmdit> KIND = new ReferenceKind<>(List.of(MmditNetwork.CLASS), Component.DENOISER,
            Mmdit::load, MmditReference::check);
    private static final String SKIP = "output.skip_layers_";

    private MmditReference() {
    }

    private static void check(Path path, Expected expected, Stage<Mmdit> stage) {
        Compute compute = stage.compute();
        Backend device = compute.backend();
        Mmdit denoiser = stage.model();
        Tensor latents = expected.upload(compute, "latents", 4);
        Tensor context = expected.upload(compute, "context", 3);
        Tensor pooled = expected.upload(compute, "pooled", 2);
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
        MmditRun run = new MmditRun(denoiser, expected.traced(compute), s.dim(0), s.dim(2), s.dim(3),
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
}
