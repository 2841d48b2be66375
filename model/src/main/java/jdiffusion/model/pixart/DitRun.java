package jdiffusion.model.pixart;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.model.Compute;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.FirstBlockCache;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Workspace;

/**
 * A denoiser set up for one size of latents and one batch. What depends on the text alone, keys and values of all
 * attentions to it, is computed once.
 */
final class DitRun implements DenoiserRun {
    private static final String BLOCKS = "transformer_blocks";

    private final Dit dit;
    private final Compute compute;
    private final AttentionShape shape;
    private final Modulations modulations;
    private final Tensor counts;
    private final List<DitBlock.Text> text = new ArrayList<>();
    /** [batch, n, c p p] the latents cut up, and [batch, n, p p predicted] what becomes of them. */
    private final Tensor patches;
    private final Tensor prediction;
    /** [batch, n, d] the residual stream. */
    private final Tensor image;
    private final DitBlock.Buffers buffers;
    /** [n, d], and [batch * n] rows of it. */
    private final Tensor positions;
    private final Tensor positionIds;
    /** [batch, predicted, height, width], with the learned variance; null where there is none. */
    private final Tensor whole;
    private final int columns;
    private Attending attending = Attending.PLAIN;
    private FirstBlockCache cache;

    /**
     * @param height of the latents
     * @param width  of the latents
     * @param tokens of the text, with padding
     * @param times  that are known beforehand
     */
    DitRun(Dit dit, Compute compute, int batch, int height, int width, int tokens, float[] times) {
        DitConfig c = dit.config();
        int rows = height / c.patch();
        this.columns = width / c.patch();
        if (height % c.patch() != 0 || width % c.patch() != 0) {
            throw new InputException("latents of " + height + "x" + width + " do not divide into patches of "
                    + c.patch());
        }
        this.dit = dit;
        this.compute = compute;
        this.shape = AttentionShape.of(batch, c.heads(), c.headDim());
        Workspace w = compute.workspace();
        int d = c.hidden();
        int n = rows * columns;
        modulations = new Modulations(dit.modulation(), compute.backend(), w, d, batch, times);
        counts = w.allocate(DType.I32, batch);
        for (int i = 0; i < c.depth(); i++) {
            text.add(DitBlock.Text.in(w, batch, tokens, d, counts));
        }
        patches = w.operand(batch, n, c.inChannels() * c.patch() * c.patch());
        prediction = w.f32(batch, n, c.predicted() * c.patch() * c.patch());
        image = w.f32(batch, n, d);
        buffers = DitBlock.Buffers.in(w, batch, n, d);
        positions = w.f32(n, d);
        positionIds = w.allocate(DType.I32, batch * n);
        whole = c.predicted() == c.outChannels() ? null : w.f32(batch, c.predicted(), height, width);
        compute.backend().upload(Positions.values(rows, columns, c.sampleSize() / c.patch(), c.scale(), d), positions);
        int[] ids = new int[batch * n];
        Arrays.setAll(ids, i -> i % n);
        compute.backend().upload(ids, positionIds);
    }

    /** One for a request; what comes of the text is computed here. */
    static DitRun start(Dit dit, Compute compute, DenoiserSetup setup) {
        int batch = setup.batch();
        int tokens = setup.tokens();
        DitRun run = new DitRun(dit, compute, batch, setup.height(), setup.width(), tokens, setup.times());
        run.attending = Attending.of(setup.change());
        if (setup.reuses()) {
            run.reuse(setup.reuse());
        }
        Workspace w = compute.workspace();
        try (var _ = w.scope()) {
            Tensor context = w.operand(batch, tokens, dit.config().contextDim());
            int[] counts = new int[batch];
            for (int i = 0; i < batch; i++) {
                Conditioning entry = setup.entries().get(i);
                compute.backend().upload(entry.context().toArray(), context.at(i));
                counts[i] = (int) entry.get(PixartConditioner.TOKENS).get(0, 0);
            }
            run.setText(context, counts);
        }
        if (dit.config().sizes()) {
            // Of what is drawn: the same for the whole batch.
            run.modulations.setSizes(w, setup.entries().getFirst().get(PixartConditioner.SIZES).toArray());
        }
        return run;
    }

    /**
     * Sets the text of all later calls.
     *
     * @param context [batch, tokens, contextDim]
     * @param real    tokens of each entry of the batch that are no padding
     */
    void setText(Tensor context, int[] real) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        int[] dims = context.shape().dims();
        int d = dit.config().hidden();
        backend.upload(real, counts);
        try (var _ = w.scope()) {
            Tensor hidden = w.operand(dims[0], dims[1], d);
            Tensor embedded = w.operand(dims[0], dims[1], d);
            dit.caption().apply(backend, context, hidden, Epilogue.STORE, embedded);
            compute.trace().see("embedded.context", "caption_projection", embedded);
            dit.blocks().run(0, dit.blocks().size(), (block, i) -> block.readText(backend,
                    compute.trace().at("block", i, BLOCKS), embedded, text.get(i), shape.heads()));
        }
    }

    /** Sets the picture's size, where the network is told it: height, width, and height by width. */
    void setSizes(float[] values) {
        modulations.setSizes(compute.workspace(), values);
    }

    /** Lets blocks after the first be left out from now on; for a batch of one. */
    void reuse(double threshold) {
        cache = new FirstBlockCache(compute.backend(), compute.workspace(), image, threshold);
    }

    @Override
    public FirstBlockCache cache() {
        return cache;
    }

    @Override
    public void predict(Tensor latents, float time, Tensor out) {
        modulations.select(time);
        evaluate(latents, out);
    }

    @Override
    public void predict(Tensor latents, float[] times, Tensor out) {
        modulations.select(times);
        evaluate(latents, out);
    }

    /** @param out [batch, predicted or outChannels, height, width], written */
    private void evaluate(Tensor latents, Tensor out) {
        Backend backend = compute.backend();
        int patch = dit.config().patch();
        backend.patchify(latents, patch, patches);                  // [b, n, c p p]
        dit.patchEmbedding().apply(backend, patches, image);        // [b, n, d]
        backend.embedding(positionIds, positions, true, image);
        if (compute.traced()) {
            compute.trace().see("embedded.image", "pos_embed", image);
            modulations.show(compute.trace());
        }
        WeightBlocks.Action<DitBlock> action = (block, i) -> {
            Trace trace = compute.trace().at("block", i, BLOCKS);
            for (int n = trace.passes(); n > 0; n--) {
                trace.see("image.in", "(input)", image);
                try (var _ = backend.scope(BLOCKS, i)) {
                    block.apply(backend, trace, shape, modulations.with(block.table()), text.get(i), buffers, image,
                            stream -> attending.run(backend, trace, AttentionSite.SELF, i, shape,
                                    List.of(stream), columns));
                }
                trace.see("image", "", image);
            }
        };
        if (cache == null) {
            dit.blocks().run(_ -> false, true, action);
        } else {
            cache.run(() -> dit.blocks().run(0, 1, action), () -> dit.blocks().run(1, dit.blocks().size(), action));
        }
        Tensor[] last = modulations.last(dit.finalTable());
        backend.layerNorm(image, null, null, last[1], last[0], DitConfig.EPS, buffers.normed());
        dit.projection().apply(backend, buffers.normed(), prediction); // [b, n, p p predicted]
        handOut(out);
    }

    /** The prediction as an image, with as many of its channels as are wanted. */
    private void handOut(Tensor out) {
        Backend backend = compute.backend();
        int patch = dit.config().patch();
        int wanted = out.shape().dim(1);
        if (wanted == dit.config().predicted()) {
            backend.unpatchify(prediction, patch, out);
            return;
        }
        backend.unpatchify(prediction, patch, whole);
        for (int i = 0; i < out.shape().dim(0); i++) {
            backend.combine(new float[] {1}, List.of(whole.at(i).slice(0, wanted)), out.at(i));
        }
    }
}
