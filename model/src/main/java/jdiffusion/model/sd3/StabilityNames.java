package jdiffusion.model.sd3;

import java.util.Collection;
import java.util.List;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.NameTable;
import jdiffusion.model.checkpoint.names.Naming;

/**
 * The denoiser as Stability publishes it: q, k and v of an attention in one tensor, and the two-part adaLN of the
 * final layer and of the last block's text with shift before scale. Source: Stability's SD3.5 code, and the
 * conversion script of diffusers.
 */
public final class StabilityNames implements Naming {
    private static final String BLOCKS = "joint_blocks.";
    private static final String OUR_BLOCKS = "transformer_blocks.";
    private static final String CONTEXT_MODULATION = ".context_block.adaLN_modulation.1.";

    private static final NameTable TABLE = new NameTable()
            .leadingOne("pos_embed", "pos_embed.pos_embed")
            .plain("x_embedder.proj.*", "pos_embed.proj.*")
            .plain("t_embedder.mlp.0.*", "time_text_embed.timestep_embedder.linear_1.*")
            .plain("t_embedder.mlp.2.*", "time_text_embed.timestep_embedder.linear_2.*")
            .plain("y_embedder.mlp.0.*", "time_text_embed.text_embedder.linear_1.*")
            .plain("y_embedder.mlp.2.*", "time_text_embed.text_embedder.linear_2.*")
            .plain("context_embedder.*", "context_embedder.*")
            .swapped("final_layer.adaLN_modulation.1.*", "norm_out.linear.*")
            .plain("final_layer.linear.*", "proj_out.*")

            .plain("joint_blocks.#.x_block.adaLN_modulation.1.*", "transformer_blocks.#.norm1.linear.*")
            .joined("joint_blocks.#.x_block.attn.qkv.*", "transformer_blocks.#.attn.to_q.*",
                    "transformer_blocks.#.attn.to_k.*", "transformer_blocks.#.attn.to_v.*")
            .plain("joint_blocks.#.x_block.attn.ln_q.weight", "transformer_blocks.#.attn.norm_q.weight")
            .plain("joint_blocks.#.x_block.attn.ln_k.weight", "transformer_blocks.#.attn.norm_k.weight")
            .plain("joint_blocks.#.x_block.attn.proj.*", "transformer_blocks.#.attn.to_out.0.*")
            .joined("joint_blocks.#.x_block.attn2.qkv.*", "transformer_blocks.#.attn2.to_q.*",
                    "transformer_blocks.#.attn2.to_k.*", "transformer_blocks.#.attn2.to_v.*")
            .plain("joint_blocks.#.x_block.attn2.ln_q.weight", "transformer_blocks.#.attn2.norm_q.weight")
            .plain("joint_blocks.#.x_block.attn2.ln_k.weight", "transformer_blocks.#.attn2.norm_k.weight")
            .plain("joint_blocks.#.x_block.attn2.proj.*", "transformer_blocks.#.attn2.to_out.0.*")
            .plain("joint_blocks.#.x_block.mlp.fc1.*", "transformer_blocks.#.ff.net.0.proj.*")
            .plain("joint_blocks.#.x_block.mlp.fc2.*", "transformer_blocks.#.ff.net.2.*")

            .plain("joint_blocks.#.context_block.adaLN_modulation.1.*",
                    "transformer_blocks.#.norm1_context.linear.*")
            .joined("joint_blocks.#.context_block.attn.qkv.*", "transformer_blocks.#.attn.add_q_proj.*",
                    "transformer_blocks.#.attn.add_k_proj.*", "transformer_blocks.#.attn.add_v_proj.*")
            .plain("joint_blocks.#.context_block.attn.ln_q.weight", "transformer_blocks.#.attn.norm_added_q.weight")
            .plain("joint_blocks.#.context_block.attn.ln_k.weight", "transformer_blocks.#.attn.norm_added_k.weight")
            .plain("joint_blocks.#.context_block.attn.proj.*", "transformer_blocks.#.attn.to_add_out.*")
            .plain("joint_blocks.#.context_block.mlp.fc1.*", "transformer_blocks.#.ff_context.net.0.proj.*")
            .plain("joint_blocks.#.context_block.mlp.fc2.*", "transformer_blocks.#.ff_context.net.2.*");

    @Override
    public String label() {
        return "Stability's names";
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return withLastBlock(TABLE.fromOriginal(originals, 0), NameTable.count(originals, BLOCKS));
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return withLastBlock(TABLE.toOriginal(names, 0), NameTable.count(names, OUR_BLOCKS));
    }

    /** The text of the last block has no more than one norm, and that norm's two parts in the other order. */
    private static List<Mapped> withLastBlock(List<Mapped> all, int depth) {
        String last = BLOCKS + (depth - 1) + CONTEXT_MODULATION;
        return all.stream().map(mapped -> mapped.original().startsWith(last)
                ? new Mapped(mapped.original(), mapped.names(), Mapped.Form.SWAPPED) : mapped).toList();
    }
}
