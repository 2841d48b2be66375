package jdiffusion.model.sd3;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.adapter.ControlledFiles;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.FirstBlockCache;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * What runs in every step.
 *
 * @param net a ControlNet beside the denoiser, whose tensors are under {@link ControlledFiles#CONTROL}; or null
 */
public record Sd3Denoiser(Mmdit mmdit, ControlNet net) implements Denoiser {
    public static Sd3Denoiser load(Weights w, ConfigFile file) {
        Mmdit mmdit = Mmdit.read(w, file);
        ConfigFile part = file.part(ControlledFiles.CONTROL);
        ControlNet net = part == null ? null : ControlNet.load(w.at(ControlledFiles.CONTROL), part, mmdit.config());
        w.finish();
        return new Sd3Denoiser(mmdit, net);
    }

    @Override
    public MmditConfig config() {
        return mmdit.config();
    }

    @Override
    public ControlNetConfig control() {
        return net == null ? null : net.config();
    }

    @Override
    public DenoiserRun start(Compute compute, DenoiserSetup setup) {
        boolean controlled = setup.control() != null;
        Sd3Denoiser asked = controlled ? this : new Sd3Denoiser(mmdit, null);
        MmditRun run = new MmditRun(asked, compute, setup.batch(), setup.height(), setup.width(),
                setup.tokens(), setup.times());
        run.setAttending(Attending.of(setup.change()));
        setText(run, compute, setup);
        if (controlled) {
            setControl(run, compute, setup);
        }
        return new Run(run, setup.skipped(), setup.reuses() ? run.reuse(setup.reuse()) : null);
    }

    private void setText(MmditRun run, Compute compute, DenoiserSetup setup) {
        Workspace w = compute.workspace();
        Backend backend = compute.backend();
        int batch = setup.batch();
        int tokens = setup.tokens();
        try (var _ = w.scope()) {
            Tensor context = w.operand(batch, tokens, config().contextDim());
            Tensor pooled = w.operand(batch, config().pooledDim());
            for (int i = 0; i < batch; i++) {
                backend.upload(setup.entries().get(i).context().toArray(), context.at(i));
                backend.upload(setup.entries().get(i).pooled().toArray(), pooled.at(i));
            }
            run.setText(context, pooled);
        }
    }

    private void setControl(MmditRun run, Compute compute, DenoiserSetup setup) {
        try (var _ = compute.workspace().scope()) {
            Tensor latents = compute.workspace().f32(setup.batch(), config().inChannels(), setup.height(),
                    setup.width());
            for (int i = 0; i < setup.batch(); i++) {
                compute.backend().upload(setup.control(), latents.slice(i, i + 1));
            }
            run.setControl(latents);
        }
    }

    /**
     * @param blocks blocks that are left out
     * @param cache  of the others; null for none
     */
    private record Run(MmditRun run, List<Integer> blocks, FirstBlockCache cache) implements DenoiserRun {
        @Override
        public void predict(Tensor latents, float time, Tensor out) {
            run.velocity(latents, time, blocks, out);
        }

        @Override
        public void predict(Tensor latents, float[] times, Tensor out) {
            run.velocity(latents, times, blocks, out);
        }

        @Override
        public void controlStrength(float strength) {
            run.setControlStrength(strength);
        }
    }
}
