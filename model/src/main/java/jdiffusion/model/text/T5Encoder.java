package jdiffusion.model.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Embedding;
import jdiffusion.model.nn.Linear;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * The encoder of T5 v1.1 (T5-XXL in SD3), or of UMT5 (Pile-T5-XL in AuraFlow), where each block has a table of relative
 * positions of its own.
 *
 * <p>The residual stream is float32: in float16 the feed-forward outputs of T5-XXL overflow.
 *
 * @param relativeBias [buckets, heads] of the first block for all, or of each
 */
public record T5Encoder(T5Config config, Embedding tokens, List<Tensor> relativeBias, WeightBlocks<Block> blocks,
                        Tensor finalNorm) {
    /**
     * One block.
     *
     * @param qkv [3 * heads * headDim, hidden], three matrices read as one
     */
    record Block(Tensor norm1, Linear qkv, Linear out, Tensor norm2, Linear gate, Linear up, Linear down) {
        static Block load(Weights w, T5Config c) {
            int d = c.hidden();
            int attention = c.heads() * c.headDim();
            Weights self = w.at("layer.0.SelfAttention");
            Weights ff = w.at("layer.1.DenseReluDense");
            Weight qkv = Weight.rows(self.matrix("q.weight", attention, d), self.matrix("k.weight", attention, d),
                    self.matrix("v.weight", attention, d));
            return new Block(w.at("layer.0").tensor("layer_norm.weight", d), new Linear(qkv, null),
                    Linear.withoutBias(self.at("o"), d, attention),
                    w.at("layer.1").tensor("layer_norm.weight", d),
                    Linear.withoutBias(ff.at("wi_0"), c.inner(), d), Linear.withoutBias(ff.at("wi_1"), c.inner(), d),
                    Linear.withoutBias(ff.at("wo"), d, c.inner()));
        }
    }

    public static T5Encoder load(Weights w, ConfigFile file) {
        T5Config c = T5Config.of(w, file);
        int d = c.hidden();
        // Some exports store the tied token table twice.
        w.skip("encoder.embed_tokens.weight", c.vocabulary(), d);
        List<Tensor> bias = new ArrayList<>();
        for (int i = 0; i < c.tables(); i++) {
            bias.add(w.at("encoder.block", i).tensor(T5Config.TABLE, c.buckets(), c.heads()));
        }
        WeightBlocks<Block> blocks =
                w.blocks("encoder.block", c.depth(), (layer, _) -> Block.load(layer, c));
        T5Encoder model = new T5Encoder(c, Embedding.load(w.at("shared"), c.vocabulary(), d), List.copyOf(bias),
                blocks,
                w.at("encoder.final_layer_norm").tensor("weight", d));
        w.finish();
        return model;
    }

    /** Without a mask, as in SD3: padding is attended to. */
    public Tensor apply(Compute compute, int[][] ids) {
        return apply(compute, ids, null);
    }

    /**
     * @param ids    [batch][n] token ids, padding included
     * @param counts [batch] of tokens, the first ones, that are no padding, which nothing attends to; null where all
     *               are attended to
     * @return [batch, n, hidden], rows of padding too, in the compute's workspace
     */
    public Tensor apply(Compute compute, int[][] ids, int[] counts) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        int batch = ids.length;
        int n = ids[0].length;
        int d = config.hidden();
        int attention = config.heads() * config.headDim();
        Tensor out = w.f32(batch, n, d);
        try (var _ = w.scope()) {
            Tensor x = w.f32(batch, n, d);
            tokens.apply(backend, ClipTextEncoder.flatten(ids), x);
            compute.trace().see("hidden_states.0", "shared", x);
            Tensor normed = w.wideOperand(batch, n, d);
            Tensor qkv = w.wideOperand(batch, n, 3 * attention);
            Tensor q = qkv.columns(0, attention);
            AttentionStream stream = AttentionStream.of(q, qkv.columns(attention, 2 * attention),
                    qkv.columns(2 * attention, 3 * attention), q).withKeyCounts(keyCounts(compute, counts));
            Tensor hidden = w.wideOperand(batch, n, config.inner());
            PositionBias bias = PositionBias.allocate(compute, config, n);
            AttentionShape shape = AttentionShape.of(batch, config.heads(), config.headDim()).withScale(1);
            blocks.run(_ -> false, false, (block, i) -> {
                Trace trace = compute.trace().at("block", i, "encoder.block");
                try (var _ = backend.scope("encoder.block", i)) {
                    if (i < relativeBias.size()) {
                        bias.fill(backend, relativeBias.get(i));
                    }
                    backend.rmsNorm(x, block.norm1, config.eps(), normed);
                    block.qkv.apply(backend, normed, qkv);
                    trace.see("attn.q", "layer.0.SelfAttention.q", q, shape.heads());
                    trace.see("attn.k", "layer.0.SelfAttention.k", stream.k(), shape.heads());
                    trace.see("attn.v", "layer.0.SelfAttention.v", stream.v(), shape.heads());
                    backend.attention(shape, List.of(stream), bias.perDistance());
                    trace.see("attn.out", "layer.0.SelfAttention.o (input)", q, shape.heads());
                    block.out.apply(backend, q, Epilogue.ADD, x);
                    backend.rmsNorm(x, block.norm2, config.eps(), normed);
                    block.up.apply(backend, normed, hidden);
                    block.gate.apply(backend, normed, Epilogue.multiply(Activation.GELU_TANH), hidden);
                    trace.see("mlp.hidden", "layer.1.DenseReluDense.wo (input)", hidden);
                    block.down.apply(backend, hidden, Epilogue.ADD, x);
                }
                if (compute.traced() && i < blocks.size() - 1) {
                    compute.trace().see("hidden_states." + (i + 1), "encoder.block." + i, x);
                }
            });
            backend.rmsNorm(x, finalNorm, config.eps(), out);
            if (compute.traced()) {
                compute.trace().see("hidden_states." + blocks.size(), "encoder.final_layer_norm", out);
                compute.trace().see("output", "encoder.final_layer_norm", out);
            }
        }
        return out;
    }

    private static Tensor keyCounts(Compute compute, int[] counts) {
        if (counts == null) {
            return null;
        }
        Tensor tensor = compute.workspace().allocate(DType.I32, counts.length);
        compute.backend().upload(counts, tensor);
        return tensor;
    }

    /**
     * What is added to the scores, from the table of the block that runs.
     *
     * @param buckets     [2 n - 1] rows of the table, for each distance of key from query
     * @param rows        [1, 2 n - 1, 1, heads] those rows
     * @param perDistance [heads, 2 n - 1]
     */
    private record PositionBias(Tensor buckets, Tensor rows, Tensor perDistance) {
        static PositionBias allocate(Compute compute, T5Config config, int n) {
            Workspace w = compute.workspace();
            int[] buckets = new int[2 * n - 1];
            Arrays.setAll(buckets, i -> config.bucket(i - (n - 1)));
            Tensor bias = w.f32(config.heads(), buckets.length);
            Tensor index = w.allocate(DType.I32, buckets.length);
            compute.backend().upload(buckets, index);
            return new PositionBias(index, w.f32(1, buckets.length, 1, config.heads()), bias);
        }

        void fill(Backend backend, Tensor table) {
            backend.embedding(buckets, table, false, rows);
            backend.channelsFirst(rows, perDistance.reshape(1, perDistance.rows(), perDistance.cols(), 1));
        }
    }
}
