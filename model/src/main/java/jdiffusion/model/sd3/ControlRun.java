package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * A ControlNet set up beside a denoiser's run. It runs before the denoiser's blocks do, so it works in their buffers,
 * and keeps only what is its own, and its residuals: one [batch, n, d] in float32 for each of its blocks.
 */
final class ControlRun {
    private static final IntPredicate NONE = _ -> false;

    private final ControlNet net;
    private final Compute compute;
    private final MmditBuffers buffers;
    private final StepModulations modulations;
    private final Tensor condition;
    private final Tensor positions;
    private final List<Tensor> residuals = new ArrayList<>();
    private float strength;

    /**
     * @param shared the denoiser's
     * @param batch  images times guidance branches
     * @param rows   of patches
     * @param times  see {@link StepModulations}
     */
    ControlRun(ControlNet net, Compute compute, MmditBuffers shared, int batch, int rows, int columns, int text,
               float[] times) {
        this.net = net;
        this.compute = compute;
        Workspace w = compute.workspace();
        MmditConfig c = net.config().blocks();
        int tokens = rows * columns;
        int d = c.hidden();
        boolean joint = net.config().joint();
        if (joint && (rows > c.positions() || columns > c.positions())) {
            throw new InputException("the ControlNet knows positions of " + c.positions() + "x" + c.positions()
                    + " patches, the picture has " + rows + "x" + columns + "; draw a smaller one");
        }
        buffers = shared.beside(w.f32(batch, tokens, d), joint ? w.f32(batch, text, d) : null,
                joint ? w.f32(batch, text, d) : null);
        List<List<Parts>> parts = new ArrayList<>();
        for (int i = 0; i < c.depth(); i++) {
            parts.add(joint ? Parts.of(d, JointBlock.parts(c.dualBlocks().contains(i), false))
                    : Parts.of(d, ImageBlock.PARTS));
        }
        modulations = new StepModulations(net.conditioning(), compute.backend(), w, d, batch, times, parts,
                StepModulations.MOST_BYTES);
        condition = w.operand(batch, tokens, c.inChannels() * c.patch() * c.patch());
        positions = joint ? w.f32(tokens, d) : null;
        if (joint) {
            net.positionTable().apply(compute.backend(), MmditRun.centre(c.positions(), rows, columns), positions);
        }
        for (int i = 0; i < c.depth(); i++) {
            residuals.add(w.f32(batch, tokens, d));
        }
    }

    /** See {@link MmditRun#setText}; a pooled embedding of zeros where the ControlNet wants it. */
    void setText(Tensor context, Tensor pooled) {
        Backend backend = compute.backend();
        if (net.config().joint()) {
            net.contextEmbedding().apply(backend, context, buffers.embeddedContext());
        }
        Workspace w = compute.workspace();
        try (var _ = w.scope()) {
            Tensor read = pooled;
            if (net.config().zeroPooled()) {
                read = w.operand(pooled.shape().dims());
                backend.upload(new float[Math.toIntExact(pooled.shape().size())], read);
            }
            modulations.setText(read);
        }
    }

    /** @param latents of the second image for each entry of the batch, [batch, channels, height, width] */
    void setCondition(Tensor latents) {
        compute.backend().patchify(latents, net.config().blocks().patch(), condition);
    }

    /** Factor of all residuals; 0 for a run without the ControlNet. */
    void setStrength(float value) {
        strength = value;
    }

    boolean active() {
        return strength != 0;
    }

    /** Where the steps' modulations are kept. */
    StepModulations modulations() {
        return modulations;
    }

    /**
     * Computes the residuals for the step that the modulations are at.
     *
     * @param embedded the denoiser's embedded image, [batch, n, d]
     */
    void run(Tensor embedded) {
        Backend backend = compute.backend();
        MmditBuffers a = buffers;
        if (net.config().joint()) {
            net.patchEmbedding().apply(backend, a.patches(), a.image());
            backend.embedding(a.positionIds(), positions, true, a.image());
            backend.activate(Activation.NONE, a.embeddedContext(), a.context());
        } else {
            backend.activate(Activation.NONE, embedded, a.image());
        }
        net.conditionEmbedding().apply(backend, condition, Epilogue.ADD, a.image());
        net.blocks().run(NONE, true, (block, i) -> {
            try (var _ = backend.scope("control_net.transformer_blocks", i)) {
                block.apply(backend, a, modulations, i);
                // The residual stream is float32, which products read as an operand.
                backend.activate(Activation.NONE, a.image(), a.normed());
                block.output().apply(backend, a.normed(), residuals.get(i));
            }
            compute.trace().at("control", i, "control_net.controlnet_blocks").see("", "", residuals.get(i));
        });
    }

    /** Adds to the denoiser's image after one of its blocks. */
    void addTo(Tensor image, int block, int depth) {
        int i = net.config().residual(block, depth);
        if (i >= 0) {
            compute.backend().combine(new float[] {1, strength}, List.of(image, residuals.get(i)), image);
        }
    }
}
