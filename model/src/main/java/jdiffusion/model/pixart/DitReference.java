package jdiffusion.model.pixart;

import java.nio.file.Path;
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

/** Recomputes references of PixArt's transformer: one evaluation, with the learned variance. */
final class DitReference {
    static final ReferenceKind<Dit> KIND = new ReferenceKind<>(List.of(DitNetwork.CLASS, DitNetwork.OLD_CLASS),
            Component.DENOISER, Dit::load, DitReference::check);

    private DitReference() {
    }

    private static void check(Path path, Expected expected, Stage<Dit> stage) {
        Compute compute = stage.compute();
        Backend device = compute.backend();
        DitConfig c = stage.model().config();
        Tensor latents = expected.upload(compute, "latents", 4);
        Tensor context = expected.upload(compute, "context", 3);
        int[] counts = expected.counts("context_mask", context.shape().dim(0), context.shape().dim(1));
        float[] timesteps = expected.input("timestep", 1).toArray();
        Shape s = latents.shape();
        int batch = s.dim(0);
        if (timesteps.length != batch || context.shape().dim(0) != batch
                || s.dim(1) != c.inChannels() || context.cols() != c.contextDim()) {
            throw new InputException(path + ": latents " + s + ", context " + context.shape() + " and "
                    + timesteps.length + " timesteps do not fit " + c);
        }
        Tensor output = compute.workspace().f32(batch, c.predicted(), s.dim(2), s.dim(3));
        DitRun run = new DitRun(stage.model(), expected.traced(compute), batch, s.dim(2), s.dim(3),
                context.shape().dim(1), new float[0]);
        run.setText(context, counts);
        if (c.sizes()) {
            run.setSizes(expected.input("sizes", 1).toArray());
        }
        run.predict(latents, timesteps, output);
        expected.compare("output", output.shape(), device.download(output));
    }
}
