package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.FirstBlockCache;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.WeightBlocks;

/**
 * A denoiser set up for one size of image and batch: the loop over steps calls {@link #velocity} and allocates
 * nothing.
 */
public final class MmditRun {
    private final Mmdit model;
    private final Compute compute;
    private final MmditBuffers buffers;
    private final StepModulations modulations;
    private final ControlRun control;
    private final int columns;
    private Attending attending = Attending.PLAIN;
    private FirstBlockCache cache;

    /** A run of the denoiser alone. */
    public MmditRun(Mmdit model, Compute compute, int batch, int height, int width, int text) {
        this(new Sd3Denoiser(model, null), compute, batch, height, width, text, new float[0]);
    }

    /**
     * @param batch  images times guidance branches
     * @param height of the latents
     * @param width  of the latents
     * @param text   tokens of text
     * @param times  timesteps that {@link #velocity} will be asked for, as far as known, in their order: what depends
     *               on them alone is then computed for many at once
     */
    public MmditRun(Sd3Denoiser denoiser, Compute compute, int batch, int height, int width, int text, float[] times) {
        MmditConfig c = denoiser.mmdit().config();
        c.checkLatents(height, width);
        int rows = height / c.patch();
        this.columns = width / c.patch();
        this.model = denoiser.mmdit();
        this.compute = compute;
        this.buffers = MmditBuffers.allocate(compute.workspace(), c, batch, rows * columns, text);
        this.modulations = new StepModulations(model.conditioning(), compute.backend(), compute.workspace(),
                c.hidden(), batch, times, parts(c), StepModulations.MOST_BYTES);
        model.positionTable().apply(compute.backend(), centre(c.positions(), rows, columns), buffers.positions());
        int[] ids = new int[batch * rows * columns];
        Arrays.setAll(ids, i -> i % (rows * columns));
        compute.backend().upload(ids, buffers.positionIds());
        this.control = denoiser.net() == null ? null
                : new ControlRun(denoiser.net(), compute, buffers, batch, rows, columns, text, times);
    }

    /** Of the blocks' modulations, and of the final one. */
    private static List<List<Parts>> parts(MmditConfig c) {
        List<List<Parts>> parts = new ArrayList<>();
        for (int i = 0; i < c.depth(); i++) {
            parts.add(Parts.of(c.hidden(), JointBlock.parts(c.dualBlocks().contains(i), i == c.depth() - 1)));
        }
        parts.add(Parts.of(c.hidden(), 2));
        return parts;
    }

    /** Rows of the square table of positions: its centre, cut to the image's size. */
    static int[] centre(int side, int rows, int columns) {
        int top = (side - rows) / 2;
        int left = (side - columns) / 2;
        int[] ids = new int[rows * columns];
        Arrays.setAll(ids, token -> (top + token / columns) * side + left + token % columns);
        return ids;
    }

    /**
     * Sets the text of all later calls.
     *
     * @param context [batch, text, contextDim]
     * @param pooled  [batch, pooledDim]
     */
    public void setText(Tensor context, Tensor pooled) {
        Backend backend = compute.backend();
        model.contextEmbedding().apply(backend, context, buffers.embeddedContext());
        modulations.setText(pooled);
        if (control != null) {
            control.setText(context, pooled);
        }
    }

    /** Sets how the blocks attend from now on. */
    public void setAttending(Attending value) {
        attending = value;
    }

    /** Lets blocks after the first be left out from now on; for a batch of one. */
    public FirstBlockCache reuse(double threshold) {
        cache = new FirstBlockCache(compute.backend(), compute.workspace(), buffers.image(), threshold);
        return cache;
    }

    /**
     * Sets what the ControlNet reads; it takes part from the next {@link #setControlStrength} on.
     *
     * @param latents of the second image for each entry of the batch, [batch, inChannels, height, width]
     */
    public void setControl(Tensor latents) {
        control.setCondition(latents);
    }

    /** Factor of what the ControlNet adds; 0, as at first, leaves it out. */
    public void setControlStrength(float strength) {
        control.setStrength(strength);
    }

    /**
     * The velocity v(x, t) = noise - image of the rectified flow.
     *
     * @param latents  [batch, inChannels, height, width]
     * @param timestep 1000 * sigma, the same for the whole batch
     * @param skip     blocks to leave out, for skip-layer guidance; usually none
     * @param velocity [batch, outChannels, height, width], written
     */
    public void velocity(Tensor latents, float timestep, List<Integer> skip, Tensor velocity) {
        modulations.select(timestep);
        if (controlled()) {
            control.modulations().select(timestep);
        }
        evaluate(latents, skip, velocity);
    }

    /** The same with a timestep for each entry of the batch. */
    public void velocity(Tensor latents, float[] timesteps, List<Integer> skip, Tensor velocity) {
        modulations.select(timesteps);
        if (controlled()) {
            control.modulations().select(timesteps);
        }
        evaluate(latents, skip, velocity);
    }

    private boolean controlled() {
        return control != null && control.active();
    }

    private void evaluate(Tensor latents, List<Integer> skip, Tensor velocity) {
        Backend backend = compute.backend();
        MmditBuffers a = buffers;
        int patch = model.config().patch();
        backend.patchify(latents, patch, a.patches());                  // [b, n, c p p]
        model.patchEmbedding().apply(backend, a.patches(), a.image());  // [b, n, d]
        backend.embedding(a.positionIds(), a.positions(), true, a.image());
        backend.activate(Activation.NONE, a.embeddedContext(), a.context());
        boolean controlled = controlled();
        if (controlled) {
            control.run(a.image());
        }
        if (compute.traced()) {
            compute.trace().see("embedded.image", "pos_embed", a.image());
            compute.trace().see("embedded.context", "context_embedder", a.context());
            modulations.show(compute.trace(), "time_text_embed");
        }

        WeightBlocks.Action<JointBlock> action = (block, i) -> {
            Trace trace = compute.trace().at("block", i, "transformer_blocks");
            for (int n = trace.passes(); n > 0; n--) {
                trace.see("image.in", "(input)", a.image());
                trace.see("context.in", "(input)", a.context());
                try (var _ = backend.scope("transformer_blocks", i)) {
                    block.apply(backend, trace, a, modulations, i, attending, columns);
                }
                if (controlled) {
                    control.addTo(a.image(), i, model.config().depth());
                }
                trace.see("image", "", a.image());
                trace.see("context", "", a.context());
            }
        };
        if (cache == null) {
            model.blocks().run(skip::contains, true, action);
        } else {
            cache.run(() -> model.blocks().run(i -> i > 0 || skip.contains(i), true, action),
                    () -> model.blocks().run(i -> i == 0 || skip.contains(i), true, action));
        }

        Tensor[] mod = modulations.of(model.config().depth(), model.finalModulation())[0];
        JointBlock.norm(backend, a.image(), mod[JointBlock.CONTINUOUS_SCALE], mod[JointBlock.CONTINUOUS_SHIFT],
                a.normed());
        model.projection().apply(backend, a.normed(), a.prediction());  // [b, n, p p c]
        backend.unpatchify(a.prediction(), patch, velocity);            // [b, c, h, w]
    }
}
