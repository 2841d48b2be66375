package jdiffusion.model.text;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Embedding;
import jdiffusion.model.nn.LayerNorm;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * CLIP-L's and CLIP-G's text tower: a causal pre-norm transformer over 77 tokens.
 *
 * @param projection of the pooled output; null for an encoder without one
 */
public record ClipTextEncoder(ClipConfig config, Embedding tokens, Tensor positions, WeightBlocks<Layer> layers,
                              LayerNorm finalNorm, Linear projection) {
    /** One transformer layer. */
    record Layer(LayerNorm norm1, Linear q, Linear k, Linear v, Linear out, LayerNorm norm2, Mlp mlp) {
        static Layer load(Weights w, ClipConfig c) {
            int d = c.hidden();
            Weights attention = w.at("self_attn");
            return new Layer(LayerNorm.load(w.at("layer_norm1"), d, c.eps()),
                    Linear.load(attention.at("q_proj"), d, d), Linear.load(attention.at("k_proj"), d, d),
                    Linear.load(attention.at("v_proj"), d, d), Linear.load(attention.at("out_proj"), d, d),
                    LayerNorm.load(w.at("layer_norm2"), d, c.eps()),
                    new Mlp(Linear.load(w.at("mlp.fc1"), c.inner(), d), c.activation(),
                            Linear.load(w.at("mlp.fc2"), d, c.inner())));
        }
    }

    /** What is made of the final state at the end token, after the final norm. */
    public enum Pooled {
        /** Nothing, so that layers behind the hidden state that is read need not run. */
        NONE,
        /** The state itself, [batch, hidden]. */
        PLAIN,
        /** The state times the projection, [batch, projection]. */
        PROJECTED
    }

    /**
     * @param hidden [batch, n, hidden], the last but one hidden state, or one before it
     * @param pooled null for none
     */
    public record Output(Tensor hidden, Tensor pooled) {
    }

    public static ClipTextEncoder load(Weights w, ConfigFile file) {
        ClipConfig c = ClipConfig.of(w, file);
        int d = c.hidden();
        Weights text = w.at("text_model");
        WeightBlocks<Layer> layers =
                text.blocks("encoder.layers", c.depth(), (layer, _) -> Layer.load(layer, c));
        // Older exports also store the position ids, which are 0, 1, 2, ...
        text.skip("embeddings.position_ids", 1, c.positions());
        ClipTextEncoder model = new ClipTextEncoder(c,
                Embedding.load(text.at("embeddings.token_embedding"), c.vocabulary(), d),
                text.at("embeddings.position_embedding").tensor("weight", c.positions(), d),
                layers, LayerNorm.load(text.at("final_layer_norm"), d, c.eps()),
                c.projection() == 0 ? null : Linear.withoutBias(w.at("text_projection"), c.projection(), d));
        w.finish();
        return model;
    }

    /** The last but one hidden state, and the pooled output, projected where there is a projection. */
    public Output apply(Compute compute, int[][] ids) {
        return apply(compute, ids, new float[0][], new int[ids.length],
                projection == null ? Pooled.PLAIN : Pooled.PROJECTED);
    }

    /**
     * @param ids      [batch][n] token ids, all rows of one length; -1 for the first inserted row, -2 for the second
     * @param inserted token embeddings beyond the vocabulary's, each of width hidden
     * @param skipped  [batch] layers left out of each row's hidden state beyond the last one ("clip skip"): the hidden
     *                 state is that before layer depth - 1 - skipped
     * @param pooled   what is made of the final state
     * @return tensors of the compute's workspace
     * @throws InputException when there are not so many layers or tokens
     */
    public Output apply(Compute compute, int[][] ids, float[][] inserted, int[] skipped, Pooled pooled) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        int batch = ids.length;
        int n = ids[0].length;
        int d = config.hidden();
        if (n > config.positions()) {
            throw new InputException(n + " tokens are more than the encoder's " + config.positions() + " positions");
        }
        if (pooled == Pooled.PROJECTED && projection == null) {
            throw new IllegalArgumentException("this encoder has no projection");
        }
        checkSkipped(skipped);
        Tensor read = w.f32(batch, n, d);
        Tensor end = pooled == Pooled.NONE ? null
                : w.f32(batch, pooled == Pooled.PROJECTED ? config.projection() : d);
        int needed = pooled == Pooled.NONE ? layers.size() - 1 - Arrays.stream(skipped).min().orElse(0)
                : layers.size();
        try (var _ = w.scope()) {
            Tensor x = embed(compute, ids, inserted);
            compute.trace().see("hidden_states.0", "text_model.embeddings", x);
            Tensor normed = w.operand(batch, n, d);
            Tensor q = w.operand(batch, n, d);
            Tensor k = w.operand(batch, n, d);
            Tensor v = w.operand(batch, n, d);
            Tensor hidden = w.operand(batch, n, config.inner());
            AttentionShape shape = AttentionShape.of(batch, config.heads(), d / config.heads()).withCausal();
            layers.run(i -> i >= needed, false, (layer, i) -> {
                copyBefore(backend, i, skipped, x, read);
                Trace trace = compute.trace().at("block", i, "text_model.encoder.layers");
                try (var _ = backend.scope("encoder.layers", i)) {
                    layer.norm1.apply(backend, x, normed);
                    backend.linear(List.of(layer.q.call(normed, Epilogue.STORE, q),
                            layer.k.call(normed, Epilogue.STORE, k), layer.v.call(normed, Epilogue.STORE, v)));
                    trace.see("attn.q", "self_attn.q_proj", q, shape.heads());
                    trace.see("attn.k", "self_attn.k_proj", k, shape.heads());
                    trace.see("attn.v", "self_attn.v_proj", v, shape.heads());
                    backend.attention(shape, List.of(AttentionStream.of(q, k, v, q)), null);
                    trace.see("attn.out", "self_attn.out_proj (input)", q, shape.heads());
                    layer.out.apply(backend, q, Epilogue.ADD, x);
                    layer.norm2.apply(backend, x, normed);
                    backend.linear(List.of(layer.mlp.up(normed, hidden)));
                    trace.see("mlp.hidden", "mlp.fc2 (input)", hidden);
                    layer.mlp.down().apply(backend, hidden, Epilogue.ADD, x);
                }
                if (compute.traced()) {
                    compute.trace().see("hidden_states." + (i + 1), "text_model.encoder.layers." + i, x);
                }
            });
            copyBefore(backend, needed, skipped, x, read);
            if (pooled != Pooled.NONE) {
                finalNorm.apply(backend, x, normed);
                compute.trace().see("last_hidden_state", "text_model.final_layer_norm", normed);
                Tensor rows = normed.reshape(batch * n, d);
                if (pooled == Pooled.PLAIN) {
                    backend.embedding(endPositions(compute, ids), rows, false, end);
                } else {
                    Tensor atEnd = w.operand(batch, d);
                    backend.embedding(endPositions(compute, ids), rows, false, atEnd);
                    projection.apply(backend, atEnd, end);
                }
                compute.trace().see("pooled", pooled == Pooled.PLAIN ? "" : "text_projection", end);
            }
        }
        return new Output(read, end);
    }

    /**
     * Fails when there are not so many layers.
     *
     * @param skipped as in {@link #apply}
     */
    public void checkSkipped(int... skipped) {
        for (int skip : skipped) {
            if (skip < 0 || skip >= layers.size()) {
                throw new InputException("clip skip " + skip + ": this CLIP has " + layers.size()
                        + " layers, so 0 to " + (layers.size() - 1) + " can be left out beyond the usual one"
                        + " (--clip-skip 2 to " + (layers.size() + 1) + ")");
            }
        }
    }

    /** Copies the rows whose hidden state is the one before this layer. */
    private void copyBefore(Backend backend, int layer, int[] skipped, Tensor x, Tensor read) {
        for (int b = 0; b < skipped.length; b++) {
            if (layer == layers.size() - 1 - skipped[b]) {
                backend.combine(new float[] {1}, List.of(x.at(b)), read.at(b));
            }
        }
    }

    private Tensor embed(Compute compute, int[][] ids, float[][] inserted) {
        Workspace w = compute.workspace();
        int batch = ids.length;
        int n = ids[0].length;
        Tensor x = w.f32(batch, n, config.hidden());
        tokens.apply(compute.backend(), flatten(ids), inserted, x);
        for (int b = 0; b < batch; b++) {
            compute.backend().embedding(null, positions.slice(0, n), true, x.at(b));
        }
        return x;
    }

    /** Row of each sequence's end token in the flattened [batch * n] rows. */
    private Tensor endPositions(Compute compute, int[][] ids) {
        int[] rows = new int[ids.length];
        for (int b = 0; b < ids.length; b++) {
            rows[b] = b * ids[b].length + endPosition(ids[b], config.eosToken());
        }
        Tensor index = compute.workspace().allocate(DType.I32, rows.length);
        compute.backend().upload(rows, index);
        return index;
    }

    /** First place of the end token, or for id 2 the first place of the largest id; 0 when there is none. */
    static int endPosition(int[] ids, int eosToken) {
        int best = 0;
        for (int i = 0; i < ids.length; i++) {
            if (eosToken == 2 ? ids[i] > ids[best] : ids[i] == eosToken) {
                best = i;
                if (eosToken != 2) {
                    break;
                }
            }
        }
        return best;
    }

    static int[] flatten(int[][] ids) {
        int n = ids[0].length;
        int[] flat = new int[ids.length * n];
        for (int b = 0; b < ids.length; b++) {
            if (ids[b].length != n) {
                throw new IllegalArgumentException("sequences of " + n + " and " + ids[b].length + " tokens");
            }
            System.arraycopy(ids[b], 0, flat, b * n, n);
        }
        return flat;
    }
}
