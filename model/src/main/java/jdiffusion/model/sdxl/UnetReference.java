package jdiffusion.model.sdxl;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.nn.TimeTextEmbedding;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.stage.Stage;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** Recomputes references of a UNet: one evaluation. */
final class UnetReference {
    static final ReferenceKind<Unet> KIND = new ReferenceKind<>(List.of(UnetNetwork.CLASS), Component.DENOISER,
            Unet::load, UnetReference::check);

    private UnetReference() {
    }

    private static void check(Path path, Expected expected, Stage<Unet> stage) {
        Compute compute = stage.compute();
        Backend device = compute.backend();
        Unet unet = stage.model();
        UnetConfig c = unet.config();
        Tensor latents = expected.upload(compute, "latents", 4);
        Tensor context = expected.upload(compute, "context", 3);
        Tensor pooled = expected.input("pooled", 2);
        Tensor ids = expected.input("time_ids", 2);
        float[] timesteps = expected.input("timestep", 1).toArray();
        Shape s = latents.shape();
        int batch = s.dim(0);
        if (timesteps.length != batch || context.shape().dim(0) != batch || pooled.rows() != batch
                || ids.rows() != batch || s.dim(1) != c.inChannels() || context.cols() != c.contextDim()) {
            throw new InputException(path + ": latents " + s + ", context " + context.shape() + ", pooled "
                    + pooled.shape() + ", sizes " + ids.shape() + " and " + timesteps.length
                    + " timesteps do not fit " + c);
        }
        float[] joined = new float[batch * c.addedDim()];
        for (int i = 0; i < batch; i++) {
            float[] row = SizeEmbedding.join(pooled.at(i).toArray(), ids.at(i).toArray(), c.addedDim(),
                    path.toString());
            System.arraycopy(row, 0, joined, i * c.addedDim(), row.length);
        }
        expected.compare("add_projection", Shape.of(batch, c.addedDim()), joined);
        Workspace w = compute.workspace();
        Tensor added = w.f32(batch, c.addedDim());
        device.upload(joined, added);
        time(expected, compute, unet.conditioning(), timesteps, c.timeWidth());
        Tensor output = w.f32(batch, c.outChannels(), s.dim(2), s.dim(3));
        UnetRun run = new UnetRun(unet, expected.traced(compute), batch, s.dim(2), s.dim(3),
                context.shape().dim(1), new float[0]);
        run.setText(context, added);
        run.predict(latents, timesteps, output);
        expected.compare("output", output.shape(), device.download(output));
    }

    /** The part of the conditioning that comes of the time alone. */
    private static void time(Expected expected, Compute compute, TimeTextEmbedding embedding, float[] timesteps,
                             int width) {
        Backend device = compute.backend();
        Workspace w = compute.workspace();
        Tensor times = w.f32(timesteps.length);
        Tensor sinusoids = w.f32(timesteps.length, embedding.channels());
        Tensor hidden = w.f32(timesteps.length, width);
        Tensor out = w.f32(timesteps.length, width);
        device.upload(timesteps, times);
        device.timestepEmbedding(times, sinusoids);
        expected.compare("time_projection", sinusoids.shape(), device.download(sinusoids));
        embedding.timestep().apply(device, sinusoids, hidden, Epilogue.STORE, out);
        expected.compare("time_embedding", out.shape(), device.download(out));
    }
}
