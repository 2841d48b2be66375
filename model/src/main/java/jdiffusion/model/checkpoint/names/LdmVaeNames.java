package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/**
 * The autoencoder as latent-diffusion code names it: the decoder's resolutions are counted from the finest, and the
 * attention's matrices are convolutions of 1x1.
 */
public final class LdmVaeNames implements Naming {
    private static final NameTable TABLE = table();

    private static NameTable table() {
        NameTable table = new NameTable();
        for (String half : List.of("encoder.", "decoder.")) {
            for (String layer : List.of("norm1", "conv1", "norm2", "conv2")) {
                String end = "." + layer + ".*";
                table.plain(half + "mid.block_1" + end, half + "mid_block.resnets.0" + end)
                        .plain(half + "mid.block_2" + end, half + "mid_block.resnets.1" + end)
                        .plain(stored(half) + end, ours(half) + end);
            }
            table.plain(stored(half) + ".nin_shortcut.*", ours(half) + ".conv_shortcut.*")
                    .plain(half + "conv_in.*", half + "conv_in.*")
                    .plain(half + "conv_out.*", half + "conv_out.*")
                    .plain(half + "norm_out.*", half + "conv_norm_out.*")
                    .plain(half + "mid.attn_1.norm.*", half + "mid_block.attentions.0.group_norm.*");
            Stream.of("q", "k", "v").forEach(name -> attention(table, half + "mid.attn_1." + name,
                    half + "mid_block.attentions.0.to_" + name));
            attention(table, half + "mid.attn_1.proj_out", half + "mid_block.attentions.0.to_out.0");
        }
        return table.plain("encoder.down.#.downsample.conv.*", "encoder.down_blocks.#.downsamplers.0.conv.*")
                .plain("decoder.up.#.upsample.conv.*", "decoder.up_blocks.~.upsamplers.0.conv.*")
                .plain("quant_conv.*", "quant_conv.*")
                .plain("post_quant_conv.*", "post_quant_conv.*");
    }

    private static void attention(NameTable table, String stored, String ours) {
        table.convolution(stored + ".weight", ours + ".weight").plain(stored + ".bias", ours + ".bias");
    }

    /** A residual block. */
    private static String stored(String half) {
        return half + (half.equals("encoder.") ? "down.#.block.#" : "up.#.block.#");
    }

    private static String ours(String half) {
        return half + (half.equals("encoder.") ? "down_blocks.#.resnets.#" : "up_blocks.~.resnets.#");
    }

    @Override
    public String label() {
        return "latent-diffusion names";
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return TABLE.fromOriginal(originals, NameTable.count(originals, "decoder.up."));
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return TABLE.toOriginal(names, NameTable.count(names, "decoder.up_blocks."));
    }
}
