package jdiffusion.model.auraflow;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.FirstBlockCache;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;

/**
 * The denoiser set up for one size of image and batch: the loop over steps calls {@link #predict} and allocates
 * nothing.
 */
final class AuraFlowRun implements DenoiserRun {
    // The final modulation stores its two parts the other way round than a block's.
    private static final int FINAL_SCALE = 0;
    private static final int FINAL_SHIFT = 1;

    private final AuraFlowTransformer model;
    private final Compute compute;
    private final AuraFlowBuffers buffers;
    private final StepModulations modulations;
    private Attending attending = Attending.PLAIN;
    private FirstBlockCache cache;

    /**
     * @param batch  images times guidance branches
     * @param height of the latents
     * @param width  of the latents
     * @param text   tokens of text
     * @param times  that {@link #predict} will be asked for, as far as known, in their order
     */
    AuraFlowRun(AuraFlowTransformer model, Compute compute, int batch, int height, int width, int text,
                float[] times) {
        AuraFlowConfig c = model.config();
        c.checkLatents(height, width);
        int rows = height / c.patch();
        int columns = width / c.patch();
        this.model = model;
        this.compute = compute;
        this.buffers = AuraFlowBuffers.allocate(compute.workspace(), c, batch, rows, columns, c.registers() + text);
        this.modulations = new StepModulations(model.time(), compute.backend(), compute.workspace(), c.hidden(),
                batch, times, parts(c), StepModulations.MOST_BYTES);
        model.positionTable().apply(compute.backend(), centre(c.positions(), rows, columns), buffers.positions());
        int[] ids = new int[batch * rows * columns];
        Arrays.setAll(ids, i -> i % (rows * columns));
        compute.backend().upload(ids, buffers.positionIds());
    }

    /** Of the blocks' modulations, and of the final one. */
    private static List<List<Parts>> parts(AuraFlowConfig c) {
        List<List<Parts>> parts = new ArrayList<>();
        for (int i = 0; i < c.blocks(); i++) {
            parts.add(Block.parts(c.hidden(), i < c.joint() ? 2 : 1));
        }
        parts.add(Parts.of(c.hidden(), 2));
        return parts;
    }

    /** Rows of the square table of positions: its centre, cut to the image's size; halves are cut before subtracting. */
    static int[] centre(int side, int rows, int columns) {
        int top = side / 2 - rows / 2;
        int left = side / 2 - columns / 2;
        int[] ids = new int[rows * columns];
        Arrays.setAll(ids, token -> (top + token / columns) * side + left + token % columns);
        return ids;
    }

    /**
     * Sets the text of all later calls.
     *
     * @param context [batch, text, contextDim], zeros where there is padding
     */
    void setText(Tensor context) {
        Backend backend = compute.backend();
        int registers = model.config().registers();
        List<LinearCall> calls = new ArrayList<>();
        for (int i = 0; i < context.shape().dim(0); i++) {
            Tensor rows = buffers.embedded().at(i);
            backend.embedding(null, model.registers(), false, rows.slice(0, registers));
            calls.add(model.contextEmbedding().call(context.at(i), Epilogue.STORE, rows.slice(registers,
                    rows.rows())));
        }
        backend.linear(calls);
    }

    /** Sets how the blocks attend from now on. */
    void setAttending(Attending value) {
        attending = value;
    }

    /** Lets blocks after the first be left out from now on; for a batch of one. */
    void reuse(double threshold) {
        cache = new FirstBlockCache(compute.backend(), compute.workspace(), buffers.image().x(), threshold);
    }

    @Override
    public FirstBlockCache cache() {
        return cache;
    }

    /**
     * The velocity v(x, t) = noise - image of the rectified flow.
     *
     * @param latents  [batch, inChannels, height, width]
     * @param time     1000 * sigma, the same for the whole batch
     * @param velocity [batch, outChannels, height, width], written
     */
    @Override
    public void predict(Tensor latents, float time, Tensor velocity) {
        modulations.select(time);
        evaluate(latents, velocity);
    }

    @Override
    public void predict(Tensor latents, float[] times, Tensor velocity) {
        modulations.select(times);
        evaluate(latents, velocity);
    }

    private void evaluate(Tensor latents, Tensor velocity) {
        Backend backend = compute.backend();
        AuraFlowBuffers a = buffers;
        AuraFlowConfig c = model.config();
        Tensor image = a.image().x();
        Tensor text = a.text().x();
        backend.patchify(latents, c.patch(), a.patches());            // [b, n, c p p]
        model.patchEmbedding().apply(backend, a.patches(), image);    // [b, n, d]
        backend.embedding(a.positionIds(), a.positions(), true, image);
        backend.activate(Activation.NONE, a.embedded(), text);        // [b, l, d]
        if (compute.traced()) {
            compute.trace().see("embedded.image", "pos_embed", image);
            compute.trace().see("embedded.context", "context_embedder", text);
            modulations.show(compute.trace(), "time_step_proj");
        }

        if (cache == null) {
            blocks(0);
        } else {
            cache.run(() -> joint(0, 1), () -> blocks(1));
        }

        Tensor[] mod = modulations.of(c.blocks(), model.finalModulation())[0];
        backend.modulate(image, mod[FINAL_SCALE], mod[FINAL_SHIFT], a.image().normed());
        model.projection().apply(backend, a.image().normed(), a.prediction()); // [b, n, p p c]
        backend.unpatchify(a.prediction(), c.patch(), velocity);               // [b, c, h, w]
    }

    /** Blocks of two streams. */
    private void joint(int from, int to) {
        AuraFlowBuffers a = buffers;
        model.blocks().run(from, to, (block, i) -> {
            Trace trace = compute.trace().at("block", i, AuraFlowConfig.JOINT_BLOCKS);
            for (int n = trace.passes(); n > 0; n--) {
                trace.see("image.in", "(input)", a.image().x());
                trace.see("context.in", "(input)", a.text().x());
                run(block, trace, AuraFlowConfig.JOINT_BLOCKS, i, a.apart(), i);
                trace.see("image", "", a.image().x());
                trace.see("context", "", a.text().x());
            }
        });
    }

    /** All blocks from one of two streams on. */
    private void blocks(int from) {
        Backend backend = compute.backend();
        AuraFlowBuffers a = buffers;
        AuraFlowConfig c = model.config();
        Tensor image = a.image().x();
        joint(from, c.joint());
        if (c.single() > 0) {
            Tensor all = flat(a.all().x());                           // [b, (l + n) d]
            backend.joinChannels(flat(a.text().x()), flat(image), all);
            model.blocks().run(c.joint(), c.blocks(), (block, i) -> {
                Trace trace = compute.trace().at("single", i - c.joint(), AuraFlowConfig.SINGLE_BLOCKS);
                for (int n = trace.passes(); n > 0; n--) {
                    trace.see("in", "(input)", a.all().x());
                    run(block, trace, AuraFlowConfig.SINGLE_BLOCKS, i - c.joint(), List.of(a.all()), i);
                    trace.see("", "", a.all().x());
                }
            });
            // The text has served.
            Tensor rows = flat(image);
            backend.activate(Activation.NONE, all.columns(all.cols() - rows.cols(), all.cols()), rows);
        }
    }

    private void run(Block block, Trace trace, String stack, int inStack, List<AuraFlowBuffers.Stream> streams,
                     int index) {
        Backend backend = compute.backend();
        try (var _ = backend.scope(stack, inStack)) {
            block.apply(backend, trace, buffers, streams, modulations, index, attending);
        }
    }

    /** [batch, tokens, d] as [batch, tokens * d]. */
    private static Tensor flat(Tensor stream) {
        int batch = stream.shape().dim(0);
        return stream.reshape(batch, Math.toIntExact(stream.shape().size() / batch));
    }
}
