package jdiffusion.model.pixart;

import java.util.Collection;
import java.util.List;
import java.util.Set;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.NameTable;
import jdiffusion.model.checkpoint.names.Naming;

/**
 * The names of PixArt's own code: q, k and v of an attention in one tensor, k and v of the text in another. What such
 * files hold beside weights, the table of positions and an embedding of no text that training left, is left aside.
 */
final class DitNames implements Naming {
    /** The positions, [1, side * side, d]: they are computed. */
    static final String POSITIONS = "pos_embed";
    static final String NO_TEXT = "y_embedder.y_embedding";
    private static final Set<String> ASIDE = Set.of(POSITIONS, NO_TEXT);
    private static final String EMB = "adaln_single.emb.";

    private static final NameTable TABLE = new NameTable()
            .plain("x_embedder.proj.*", "pos_embed.proj.*")
            .plain("y_embedder.y_proj.fc1.*", "caption_projection.linear_1.*")
            .plain("y_embedder.y_proj.fc2.*", "caption_projection.linear_2.*")
            .plain("t_embedder.mlp.0.*", EMB + "timestep_embedder.linear_1.*")
            .plain("t_embedder.mlp.2.*", EMB + "timestep_embedder.linear_2.*")
            .plain("csize_embedder.mlp.0.*", EMB + "resolution_embedder.linear_1.*")
            .plain("csize_embedder.mlp.2.*", EMB + "resolution_embedder.linear_2.*")
            .plain("ar_embedder.mlp.0.*", EMB + "aspect_ratio_embedder.linear_1.*")
            .plain("ar_embedder.mlp.2.*", EMB + "aspect_ratio_embedder.linear_2.*")
            .plain("t_block.1.*", "adaln_single.linear.*")
            .plain("final_layer.linear.*", "proj_out.*")
            .plain("final_layer.scale_shift_table", "scale_shift_table")
            .plain("blocks.#.scale_shift_table", "transformer_blocks.#.scale_shift_table")
            .joined("blocks.#.attn.qkv.*", "transformer_blocks.#.attn1.to_q.*", "transformer_blocks.#.attn1.to_k.*",
                    "transformer_blocks.#.attn1.to_v.*")
            .plain("blocks.#.attn.proj.*", "transformer_blocks.#.attn1.to_out.0.*")
            .plain("blocks.#.cross_attn.q_linear.*", "transformer_blocks.#.attn2.to_q.*")
            .joined("blocks.#.cross_attn.kv_linear.*", "transformer_blocks.#.attn2.to_k.*",
                    "transformer_blocks.#.attn2.to_v.*")
            .plain("blocks.#.cross_attn.proj.*", "transformer_blocks.#.attn2.to_out.0.*")
            .plain("blocks.#.mlp.fc1.*", "transformer_blocks.#.ff.net.0.proj.*")
            .plain("blocks.#.mlp.fc2.*", "transformer_blocks.#.ff.net.2.*");

    @Override
    public String label() {
        return "PixArt's names";
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return TABLE.fromOriginal(originals.stream().filter(name -> !ASIDE.contains(name)).toList(), 0);
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return TABLE.toOriginal(names, 0);
    }
}
