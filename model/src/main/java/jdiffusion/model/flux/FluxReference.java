package jdiffusion.model.flux;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.stage.Stage;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Recomputes references of FLUX.1's transformer: the table of rotations, and one evaluation. */
final class FluxReference {
    static final ReferenceKind<FluxTransformer> KIND = new ReferenceKind<>(List.of(FluxNetwork.CLASS),
            Component.DENOISER, FluxTransformer::load, FluxReference::check);

    private FluxReference() {
    }

    private static void check(Path path, Expected expected, Stage<FluxTransformer> stage) {
        Compute compute = stage.compute();
        FluxConfig c = stage.model().config();
        Tensor latents = expected.upload(compute, "latents", 4);
        Tensor context = expected.upload(compute, "context", 3);
        Tensor pooled = expected.upload(compute, "pooled", 2);
        float[] times = expected.input("timestep", 1).toArray();
        Shape s = latents.shape();
        int batch = s.dim(0);
        int text = context.shape().dim(1);
        float[] guidance = c.guidance() ? expected.input("guidance", 1).toArray() : new float[batch];
        if (times.length != batch || guidance.length != batch || context.shape().dim(0) != batch
                || pooled.shape().dim(0) != batch || s.dim(1) != c.inChannels() || context.cols() != c.contextDim()
                || pooled.cols() != c.pooledDim()) {
            throw new InputException(path + ": latents " + s + ", context " + context.shape() + ", pooled "
                    + pooled.shape() + ", " + times.length + " timesteps and " + guidance.length
                    + " guidance scales do not fit " + c);
        }
        checkRope(expected, c, text, s.dim(2) / FluxConfig.PATCH, s.dim(3) / FluxConfig.PATCH);
        for (int i = 0; i < batch; i++) {
            times[i] *= FluxRun.TIME_FACTOR;
        }
        Tensor velocity = compute.workspace().f32(s.dims());
        FluxRun run = new FluxRun(stage.model(), expected.traced(compute), batch, s.dim(2), s.dim(3), text,
                new float[0]);
        run.setText(context, pooled, guidance);
        run.predict(latents, times, velocity);
        expected.compare("output", velocity.shape(), compute.backend().download(velocity));
    }

    /** The reference has cosines and sines apart, and each twice, for both channels of a pair. */
    private static void checkRope(Expected expected, FluxConfig c, int text, int rows, int columns) {
        float[] table = Rope.table(c.axes(), text, rows, columns);
        float[] cos = new float[table.length];
        float[] sin = new float[table.length];
        for (int i = 0; i < table.length; i++) {
            cos[i] = table[i & ~1];
            sin[i] = table[i | 1];
        }
        Shape shape = Shape.of(text + rows * columns, c.headDim());
        expected.compare("rope.cos", shape, cos);
        expected.compare("rope.sin", shape, sin);
    }
}
