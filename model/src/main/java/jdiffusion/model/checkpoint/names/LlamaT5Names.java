package jdiffusion.model.checkpoint.names;

/** The encoder of T5 as llama.cpp names it in GGUF files. */
public final class LlamaT5Names {
    public static final Naming NAMES = new TableNames("llama.cpp's names", new NameTable()
            .plain("token_embd.weight", "shared.weight")
            .plain("enc.output_norm.weight", "encoder.final_layer_norm.weight")
            .plain("enc.blk.#.attn_rel_b.weight",
                    "encoder.block.#.layer.0.SelfAttention.relative_attention_bias.weight")
            .plain("enc.blk.#.attn_q.weight", "encoder.block.#.layer.0.SelfAttention.q.weight")
            .plain("enc.blk.#.attn_k.weight", "encoder.block.#.layer.0.SelfAttention.k.weight")
            .plain("enc.blk.#.attn_v.weight", "encoder.block.#.layer.0.SelfAttention.v.weight")
            .plain("enc.blk.#.attn_o.weight", "encoder.block.#.layer.0.SelfAttention.o.weight")
            .plain("enc.blk.#.attn_norm.weight", "encoder.block.#.layer.0.layer_norm.weight")
            .plain("enc.blk.#.ffn_gate.weight", "encoder.block.#.layer.1.DenseReluDense.wi_0.weight")
            .plain("enc.blk.#.ffn_up.weight", "encoder.block.#.layer.1.DenseReluDense.wi_1.weight")
            .plain("enc.blk.#.ffn_down.weight", "encoder.block.#.layer.1.DenseReluDense.wo.weight")
            .plain("enc.blk.#.ffn_norm.weight", "encoder.block.#.layer.1.layer_norm.weight"));

    private LlamaT5Names() {
    }
}
