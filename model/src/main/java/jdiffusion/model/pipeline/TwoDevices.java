package jdiffusion.model.pipeline;

import java.util.concurrent.Future;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.tensor.Tensor;

/**
 * A batch of two guidance branches whose first half is predicted by a second device, while this one predicts the other
 * half. Latents and prediction of that half go through the host.
 */
final class TwoDevices implements DenoiserRun {
    private final DenoiserRun own;
    private final SecondDevice second;
    private final Compute compute;

    /**
     * @param own    of the second half
     * @param second not asked where only memory is counted
     */
    TwoDevices(DenoiserRun own, SecondDevice second, Compute compute) {
        this.own = own;
        this.second = second;
        this.compute = compute;
    }

    @Override
    public void controlStrength(float strength) {
        own.controlStrength(strength);
        if (!compute.counting()) {
            second.controlStrength(strength);
        }
    }

    @Override
    public void predict(Tensor latents, float time, Tensor out) {
        int half = latents.shape().dim(0) / 2;
        if (compute.counting()) {
            own.predict(latents.slice(half, 2 * half), time, out.slice(half, 2 * half));
            return;
        }
        Backend backend = compute.backend();
        backend.download(latents.slice(0, half), second.latents());
        Future<?> prediction = second.start(time);
        try {
            own.predict(latents.slice(half, 2 * half), time, out.slice(half, 2 * half));
        } catch (RuntimeException | Error e) {
            second.abandon(prediction, e);
            throw e;
        }
        backend.upload(second.take(prediction), out.slice(0, half));
    }

    @Override
    public void predict(Tensor latents, float[] times, Tensor out) {
        throw new IllegalStateException("two devices have one time for the whole batch");
    }
}
