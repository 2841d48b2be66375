package jdiffusion.model.checkpoint.names;

/**
 * CLIP's text tower as OpenCLIP names it: q, k and v of an attention in one tensor, and the projection as a parameter
 * [width, projection] that stands to the right of the states.
 */
public final class OpenClipNames {
    public static final Naming NAMES = new TableNames("OpenCLIP's names", new NameTable()
            .plain("token_embedding.weight", ClipNames.TOKENS)
            .plain("positional_embedding", "text_model.embeddings.position_embedding.weight")
            .plain("transformer.resblocks.#.ln_1.*", "text_model.encoder.layers.#.layer_norm1.*")
            .joined("transformer.resblocks.#.attn.in_proj_weight",
                    "text_model.encoder.layers.#.self_attn.q_proj.weight",
                    "text_model.encoder.layers.#.self_attn.k_proj.weight",
                    "text_model.encoder.layers.#.self_attn.v_proj.weight")
            .joined("transformer.resblocks.#.attn.in_proj_bias",
                    "text_model.encoder.layers.#.self_attn.q_proj.bias",
                    "text_model.encoder.layers.#.self_attn.k_proj.bias",
                    "text_model.encoder.layers.#.self_attn.v_proj.bias")
            .plain("transformer.resblocks.#.attn.out_proj.*", "text_model.encoder.layers.#.self_attn.out_proj.*")
            .plain("transformer.resblocks.#.ln_2.*", "text_model.encoder.layers.#.layer_norm2.*")
            .plain("transformer.resblocks.#.mlp.c_fc.*", "text_model.encoder.layers.#.mlp.fc1.*")
            .plain("transformer.resblocks.#.mlp.c_proj.*", "text_model.encoder.layers.#.mlp.fc2.*")
            .plain("ln_final.*", "text_model.final_layer_norm.*")
            .transposed("text_projection", "text_projection.weight"));

    private OpenClipNames() {
    }
}
