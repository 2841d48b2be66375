package jdiffusion.model.sd3;

import jdiffusion.model.checkpoint.names.NameTable;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.TableNames;

/** The ControlNets of SD3.5 Large as Stability publishes them: half of diffusers' names, and the blocks' own. */
final class ControlNetNames {
    static final Naming NAMES = new TableNames("Stability's names of ControlNets", new NameTable()
            .plain("transformer_blocks.#.adaLN_modulation.1.*", "transformer_blocks.#.norm1.linear.*")
            .joined("transformer_blocks.#.attn.qkv.*", "transformer_blocks.#.attn.to_q.*",
                    "transformer_blocks.#.attn.to_k.*", "transformer_blocks.#.attn.to_v.*")
            .plain("transformer_blocks.#.attn.proj.*", "transformer_blocks.#.attn.to_out.0.*")
            .plain("transformer_blocks.#.mlp.fc1.*", "transformer_blocks.#.ff.net.0.proj.*")
            .plain("transformer_blocks.#.mlp.fc2.*", "transformer_blocks.#.ff.net.2.*")
            .plain("x_embedder.proj.*", "pos_embed.proj.*")
            .plain("t_embedder.mlp.0.*", "time_text_embed.timestep_embedder.linear_1.*")
            .plain("t_embedder.mlp.2.*", "time_text_embed.timestep_embedder.linear_2.*")
            .plain("y_embedder.mlp.0.*", "time_text_embed.text_embedder.linear_1.*")
            .plain("y_embedder.mlp.2.*", "time_text_embed.text_embedder.linear_2.*"));

    private ControlNetNames() {
    }
}
