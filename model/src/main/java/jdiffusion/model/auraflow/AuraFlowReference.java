package jdiffusion.model.auraflow;

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

/** Recomputes references of AuraFlow's transformer: one evaluation. */
final class AuraFlowReference {
    static final ReferenceKind<AuraFlowTransformer> KIND = new ReferenceKind<>(List.of(AuraFlowNetwork.CLASS),
            Component.DENOISER, AuraFlowTransformer::load, AuraFlowReference::check);
    /** References count the time from 0 to 1. */
    private static final float WHOLE_TIME = 1000;

    private AuraFlowReference() {
    }

    private static void check(Path path, Expected expected, Stage<AuraFlowTransformer> stage) {
        Compute compute = stage.compute();
        AuraFlowConfig c = stage.model().config();
        Tensor latents = expected.upload(compute, "latents", 4);
        Tensor context = expected.upload(compute, "context", 3);
        float[] times = expected.input("timestep", 1).toArray();
        Shape s = latents.shape();
        int batch = s.dim(0);
        if (times.length != batch || context.shape().dim(0) != batch || s.dim(1) != c.inChannels()
                || context.cols() != c.contextDim()) {
            throw new InputException(path + ": latents " + s + ", context " + context.shape() + " and " + times.length
                    + " timesteps do not fit " + c);
        }
        for (int i = 0; i < batch; i++) {
            times[i] *= WHOLE_TIME;
        }
        Tensor velocity = compute.workspace().f32(batch, c.outChannels(), s.dim(2), s.dim(3));
        AuraFlowRun run = new AuraFlowRun(stage.model(), expected.traced(compute), batch, s.dim(2), s.dim(3),
                context.shape().dim(1), new float[0]);
        run.setText(context);
        run.predict(latents, times, velocity);
        expected.compare("output", velocity.shape(), compute.backend().download(velocity));
    }
}
