package jdiffusion.model.flux;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.FirstBlockCache;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The transformer set up for one size of image and batch: the loop over steps calls {@link #predict} and allocates
 * nothing.
 */
public final class FluxRun implements DenoiserRun {
    /** The network's sinusoids are of time and guidance scale times this. */
    static final float TIME_FACTOR = 1000;
    // The final modulation has its two parts the other way round than those of the blocks.
    private static final int FINAL_SCALE = 0;
    private static final int FINAL_SHIFT = 1;

    private final FluxTransformer model;
    private final Compute compute;
    private final FluxBuffers buffers;
    private final StepModulations modulations;
    private Attending attending = Attending.PLAIN;
    private FirstBlockCache cache;

    /**
     * @param batch  images times guidance branches
     * @param height of the latents
     * @param width  of the latents
     * @param text   tokens of text
     * @param times  that {@link #predict} will be asked for, as far as known, in their order: what depends on them
     *               alone is then computed for many at once
     */
    public FluxRun(FluxTransformer model, Compute compute, int batch, int height, int width, int text,
                   float[] times) {
        FluxConfig c = model.config();
        if (height % FluxConfig.PATCH != 0 || width % FluxConfig.PATCH != 0) {
            throw new InputException("latents of " + height + "x" + width + " do not divide into patches of "
                    + FluxConfig.PATCH);
        }
        int rows = height / FluxConfig.PATCH;
        int columns = width / FluxConfig.PATCH;
        this.model = model;
        this.compute = compute;
        this.buffers = FluxBuffers.allocate(compute.workspace(), c, batch, rows, columns, text);
        this.modulations = new StepModulations(model.conditioning(), compute.backend(), compute.workspace(),
                c.hidden(), batch, times, parts(c), StepModulations.MOST_BYTES);
        compute.backend().upload(Rope.table(c.axes(), text, rows, columns), buffers.rotary());
    }

    /** Of the blocks' modulations, and of the final one. */
    private static List<List<Parts>> parts(FluxConfig c) {
        List<List<Parts>> parts = new ArrayList<>();
        for (int i = 0; i < c.depth(); i++) {
            parts.add(Parts.of(c.hidden(), DoubleStreamBlock.PARTS, DoubleStreamBlock.PARTS));
        }
        for (int i = 0; i < c.singles(); i++) {
            parts.add(Parts.of(c.hidden(), SingleStreamBlock.PARTS));
        }
        parts.add(Parts.of(c.hidden(), 2));
        return parts;
    }

    /**
     * Sets the text of all later calls.
     *
     * @param context  [batch, text, contextDim]
     * @param pooled   [batch, pooledDim]
     * @param guidance scales, one for each entry of the batch; read by models that embed them
     */
    public void setText(Tensor context, Tensor pooled, float[] guidance) {
        Backend backend = compute.backend();
        model.txtIn().apply(backend, context, buffers.embedded());
        modulations.setText(pooled);
        if (model.guidance() != null) {
            addGuidance(guidance);
        }
    }

    /** The guidance scale is as constant as the text, so its embedding joins that of the text. */
    private void addGuidance(float[] guidance) {
        Workspace w = compute.workspace();
        Backend backend = compute.backend();
        int batch = guidance.length;
        float[] times = new float[batch];
        for (int i = 0; i < batch; i++) {
            times[i] = TIME_FACTOR * guidance[i];
        }
        try (var _ = w.scope()) {
            Tensor at = w.f32(batch);
            Tensor sinusoid = w.operand(batch, FluxConfig.TIMESTEP_CHANNELS);
            backend.upload(times, at);
            backend.timestepEmbedding(at, sinusoid);
            model.guidance().apply(backend, sinusoid, w.operand(batch, model.config().hidden()), Epilogue.ADD,
                    modulations.text());
        }
    }

    /** Sets how the blocks attend from now on. */
    void setAttending(Attending value) {
        attending = value;
    }

    /** Lets blocks after the first be left out from now on; for a batch of one. */
    void reuse(double threshold) {
        cache = new FirstBlockCache(compute.backend(), compute.workspace(), buffers.img().stream(), threshold);
    }

    @Override
    public FirstBlockCache cache() {
        return cache;
    }

    /**
     * The velocity v(x, t) = noise - image of the rectified flow.
     *
     * @param latents  [batch, channels, height, width]
     * @param time     1000 * sigma, the same for the whole batch
     * @param velocity [batch, channels, height, width], written
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
        FluxBuffers a = buffers;
        FluxConfig c = model.config();
        int depth = c.depth();
        int last = depth + c.singles();
        Tensor image = a.img().stream();
        backend.patchify(latents, FluxConfig.PATCH, a.patches());         // [b, n, c p p]
        compute.trace().see("packed", "x_embedder (input)", a.patches());
        model.imgIn().apply(backend, a.patches(), image);                 // [b, n, d]
        backend.activate(Activation.NONE, a.embedded(), a.txt().stream()); // [b, l, d]
        if (compute.traced()) {
            compute.trace().see("embedded.image", "x_embedder", image);
            compute.trace().see("embedded.context", "context_embedder", a.txt().stream());
            modulations.show(compute.trace(), "time_text_embed");
        }

        if (cache == null) {
            doubles(0, depth);
            singles();
        } else {
            cache.run(() -> doubles(0, 1), () -> {
                doubles(1, depth);
                singles();
            });
        }

        Tensor[] mod = modulations.of(last, model.finalModulation())[0];
        Block.modulated(backend, image, mod[FINAL_SCALE], mod[FINAL_SHIFT], a.img().normed());
        model.projection().apply(backend, a.img().normed(), a.prediction()); // [b, n, c p p]
        unpack(velocity);                                                    // [b, c, h, w]
    }

    /** Blocks of two streams. */
    private void doubles(int from, int to) {
        FluxBuffers a = buffers;
        model.blocks().run(from, to, (block, i) -> {
            Trace trace = compute.trace().at("block", i, FluxConfig.DOUBLE_BLOCKS);
            for (int n = trace.passes(); n > 0; n--) {
                trace.see("image.in", "(input)", a.img().stream());
                trace.see("context.in", "(input)", a.txt().stream());
                run(block, trace, FluxConfig.DOUBLE_BLOCKS, i, i);
                trace.see("image", "", a.img().stream());
                trace.see("context", "", a.txt().stream());
            }
        });
    }

    /** All blocks of one stream. */
    private void singles() {
        int depth = model.config().depth();
        join();
        model.blocks().run(depth, depth + model.config().singles(), (block, i) -> {
            Trace trace = compute.trace().at("single", i - depth, FluxConfig.SINGLE_BLOCKS);
            for (int n = trace.passes(); n > 0; n--) {
                trace.see("in", "(input)", buffers.single().stream());
                run(block, trace, FluxConfig.SINGLE_BLOCKS, i, i - depth);
                trace.see("", "", buffers.single().stream());
            }
        });
        part();
    }

    private void run(Block block, Trace trace, String stack, int index, int inStack) {
        try (var _ = compute.backend().scope(stack, inStack)) {
            block.apply(compute.backend(), trace, buffers, modulations, index, attending);
        }
    }

    /** Random numbers into all streams, for {@link #onlyBlock}. */
    void fill() {
        Random random = new Random(0);
        for (Tensor stream : List.of(buffers.img().stream(), buffers.txt().stream(), buffers.single().stream())) {
            float[] values = new float[Math.toIntExact(stream.shape().size())];
            for (int i = 0; i < values.length && !compute.counting(); i++) {
                values[i] = (float) random.nextGaussian();
            }
            compute.backend().upload(values, stream);
        }
    }

    /** Runs the first block with its modulations, on what the streams hold, for who measures it. */
    void onlyBlock(float[] times) {
        modulations.select(times);
        model.blocks().run(0, 1, (block, i) -> block.apply(compute.backend(), Trace.NONE, buffers, modulations, i,
                attending));
    }

    /** Text and image into one stream. */
    private void join() {
        compute.backend().joinChannels(flat(buffers.txt().stream()), flat(buffers.img().stream()),
                flat(buffers.single().stream()));
    }

    /** The image out of it; the text has served. */
    private void part() {
        Tensor all = flat(buffers.single().stream());
        Tensor image = flat(buffers.img().stream());
        compute.backend().activate(Activation.NONE, all.columns(all.cols() - image.cols(), all.cols()), image);
    }

    /** [batch, tokens, d] as [batch, tokens * d]. */
    private static Tensor flat(Tensor stream) {
        int batch = stream.shape().dim(0);
        return stream.reshape(batch, Math.toIntExact(stream.shape().size() / batch));
    }

    /** FLUX has a token's channel outside of its pixels; what is put together has it inside. */
    private void unpack(Tensor velocity) {
        Backend backend = compute.backend();
        FluxConfig c = model.config();
        int pixels = FluxConfig.PATCH * FluxConfig.PATCH;
        int tokens = buffers.prediction().rows();
        backend.channelsFirst(buffers.prediction().reshape(tokens, c.inChannels(), 1, pixels),
                buffers.unpacked().reshape(tokens, pixels, c.inChannels(), 1));
        backend.unpatchify(buffers.unpacked(), FluxConfig.PATCH, velocity);
    }
}
