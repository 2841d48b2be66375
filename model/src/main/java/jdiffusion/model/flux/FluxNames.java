package jdiffusion.model.flux;

import java.util.List;
import jdiffusion.model.checkpoint.names.NameTable;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.TableNames;

/**
 * The denoiser as Black Forest Labs publish it: q, k and v in one tensor, in single stream blocks with the first layer
 * of the MLP below them, and the last modulation with shift before scale. Source: Black Forest Labs' code, and the
 * conversion script of diffusers.
 */
final class FluxNames {
    /** Rows of q, k, v and of the MLP in a single stream block's first matrix. */
    private static final List<Integer> LINEAR1 = List.of(1, 1, 1, FluxConfig.MLP_RATIO);

    static final Naming NAMES = new TableNames("Black Forest Labs' names", new NameTable()
            .plain("img_in.*", "x_embedder.*")
            .plain("txt_in.*", "context_embedder.*")
            .plain("time_in.in_layer.*", "time_text_embed.timestep_embedder.linear_1.*")
            .plain("time_in.out_layer.*", "time_text_embed.timestep_embedder.linear_2.*")
            .plain("guidance_in.in_layer.*", "time_text_embed.guidance_embedder.linear_1.*")
            .plain("guidance_in.out_layer.*", "time_text_embed.guidance_embedder.linear_2.*")
            .plain("vector_in.in_layer.*", "time_text_embed.text_embedder.linear_1.*")
            .plain("vector_in.out_layer.*", "time_text_embed.text_embedder.linear_2.*")
            .swapped("final_layer.adaLN_modulation.1.*", "norm_out.linear.*")
            .plain("final_layer.linear.*", "proj_out.*")

            .plain("double_blocks.#.img_mod.lin.*", "transformer_blocks.#.norm1.linear.*")
            .joined("double_blocks.#.img_attn.qkv.*", "transformer_blocks.#.attn.to_q.*",
                    "transformer_blocks.#.attn.to_k.*", "transformer_blocks.#.attn.to_v.*")
            .plain("double_blocks.#.img_attn.norm.query_norm.scale", "transformer_blocks.#.attn.norm_q.weight")
            .plain("double_blocks.#.img_attn.norm.key_norm.scale", "transformer_blocks.#.attn.norm_k.weight")
            .plain("double_blocks.#.img_attn.proj.*", "transformer_blocks.#.attn.to_out.0.*")
            .plain("double_blocks.#.img_mlp.0.*", "transformer_blocks.#.ff.net.0.proj.*")
            .plain("double_blocks.#.img_mlp.2.*", "transformer_blocks.#.ff.net.2.*")

            .plain("double_blocks.#.txt_mod.lin.*", "transformer_blocks.#.norm1_context.linear.*")
            .joined("double_blocks.#.txt_attn.qkv.*", "transformer_blocks.#.attn.add_q_proj.*",
                    "transformer_blocks.#.attn.add_k_proj.*", "transformer_blocks.#.attn.add_v_proj.*")
            .plain("double_blocks.#.txt_attn.norm.query_norm.scale",
                    "transformer_blocks.#.attn.norm_added_q.weight")
            .plain("double_blocks.#.txt_attn.norm.key_norm.scale", "transformer_blocks.#.attn.norm_added_k.weight")
            .plain("double_blocks.#.txt_attn.proj.*", "transformer_blocks.#.attn.to_add_out.*")
            .plain("double_blocks.#.txt_mlp.0.*", "transformer_blocks.#.ff_context.net.0.proj.*")
            .plain("double_blocks.#.txt_mlp.2.*", "transformer_blocks.#.ff_context.net.2.*")

            .plain("single_blocks.#.modulation.lin.*", "single_transformer_blocks.#.norm.linear.*")
            .joined("single_blocks.#.linear1.*", LINEAR1, "single_transformer_blocks.#.attn.to_q.*",
                    "single_transformer_blocks.#.attn.to_k.*", "single_transformer_blocks.#.attn.to_v.*",
                    "single_transformer_blocks.#.proj_mlp.*")
            .plain("single_blocks.#.linear2.*", "single_transformer_blocks.#.proj_out.*")
            .plain("single_blocks.#.norm.query_norm.scale", "single_transformer_blocks.#.attn.norm_q.weight")
            .plain("single_blocks.#.norm.key_norm.scale", "single_transformer_blocks.#.attn.norm_k.weight"));

    /** Modules of XLabs' LoRA files, where 1 stands for the image's half of a double stream block, 2 for the text's. */
    static final Naming XLABS = new TableNames("XLabs' names", new NameTable()
            .joined("double_blocks.#.qkv1.weight", "transformer_blocks.#.attn.to_q.weight",
                    "transformer_blocks.#.attn.to_k.weight", "transformer_blocks.#.attn.to_v.weight")
            .plain("double_blocks.#.proj1.weight", "transformer_blocks.#.attn.to_out.0.weight")
            .joined("double_blocks.#.qkv2.weight", "transformer_blocks.#.attn.add_q_proj.weight",
                    "transformer_blocks.#.attn.add_k_proj.weight", "transformer_blocks.#.attn.add_v_proj.weight")
            .plain("double_blocks.#.proj2.weight", "transformer_blocks.#.attn.to_add_out.weight")
            .joined("single_blocks.#.qkv.weight", "single_transformer_blocks.#.attn.to_q.weight",
                    "single_transformer_blocks.#.attn.to_k.weight", "single_transformer_blocks.#.attn.to_v.weight")
            .plain("single_blocks.#.proj.weight", "single_transformer_blocks.#.proj_out.weight"));

    private FluxNames() {
    }
}
