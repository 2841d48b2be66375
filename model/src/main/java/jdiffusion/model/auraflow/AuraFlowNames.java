package jdiffusion.model.auraflow;

import jdiffusion.model.checkpoint.names.NameTable;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.TableNames;

/**
 * The transformer as its authors publish it: in joint blocks {@code w1} is the text and {@code w2} the image, in single
 * ones {@code w1} is all; the last modulation has shift before scale. Source: the conversion script of diffusers.
 */
final class AuraFlowNames {
    static final Naming NAMES = new TableNames("AuraFlow's names", table());

    private AuraFlowNames() {
    }

    private static NameTable table() {
        NameTable table = new NameTable()
                .leadingOne("register_tokens", "register_tokens")
                .leadingOne("positional_encoding", "pos_embed.pos_embed")
                .plain("init_x_linear.*", "pos_embed.proj.*")
                .plain("cond_seq_linear.*", "context_embedder.*")
                .plain("t_embedder.mlp.0.*", "time_step_proj.linear_1.*")
                .plain("t_embedder.mlp.2.*", "time_step_proj.linear_2.*")
                .swapped("modF.1.*", "norm_out.linear.*")
                .plain("final_linear.*", "proj_out.*")

                .plain("double_layers.#.modX.1.*", "joint_transformer_blocks.#.norm1.linear.*")
                .plain("double_layers.#.modC.1.*", "joint_transformer_blocks.#.norm1_context.linear.*")
                .plain("single_layers.#.modCX.1.*", "single_transformer_blocks.#.norm1.linear.*");
        attention(table, "double_layers.#.attn.w2", "joint_transformer_blocks.#.attn.", "to_q", "to_k", "to_v",
                "to_out.0");
        attention(table, "double_layers.#.attn.w1", "joint_transformer_blocks.#.attn.", "add_q_proj", "add_k_proj",
                "add_v_proj", "to_add_out");
        attention(table, "single_layers.#.attn.w1", "single_transformer_blocks.#.attn.", "to_q", "to_k", "to_v",
                "to_out.0");
        feedForward(table, "double_layers.#.mlpX.", "joint_transformer_blocks.#.ff.");
        feedForward(table, "double_layers.#.mlpC.", "joint_transformer_blocks.#.ff_context.");
        feedForward(table, "single_layers.#.mlp.", "single_transformer_blocks.#.ff.");
        return table;
    }

    private static void attention(NameTable table, String original, String ours, String q, String k, String v,
                                  String out) {
        table.plain(original + "q.*", ours + q + ".*").plain(original + "k.*", ours + k + ".*")
                .plain(original + "v.*", ours + v + ".*").plain(original + "o.*", ours + out + ".*");
    }

    private static void feedForward(NameTable table, String original, String ours) {
        table.plain(original + "c_fc1.*", ours + "linear_1.*").plain(original + "c_fc2.*", ours + "linear_2.*")
                .plain(original + "c_proj.*", ours + "out_projection.*");
    }
}
