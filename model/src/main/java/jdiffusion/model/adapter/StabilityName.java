package jdiffusion.model.adapter;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What Stability's own code calls a matrix of the denoiser.
 *
 * @param module  its name there, without {@code .weight}
 * @param part    its place among those that are one matrix there
 * @param parts   of that matrix
 * @param swapped whether its two halves lie the other way round there: shift before scale
 */
record StabilityName(String module, int part, int parts, boolean swapped) {
    private static final Pattern BLOCK = Pattern.compile("transformer_blocks\\.(\\d+)\\.(.+)");
    private static final Map<String, String> OUTSIDE = Map.of(
            "pos_embed.proj", "x_embedder.proj",
            "context_embedder", "context_embedder",
            "time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0",
            "time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2",
            "time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0",
            "time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2",
            "norm_out.linear", "final_layer.adaLN_modulation.1",
            "proj_out", "final_layer.linear");
    private static final Map<String, String> IN_BLOCK = Map.ofEntries(
            Map.entry("norm1.linear", "x_block.adaLN_modulation.1"),
            Map.entry("norm1_context.linear", "context_block.adaLN_modulation.1"),
            Map.entry("attn.to_q", "x_block.attn.qkv"), Map.entry("attn.to_k", "x_block.attn.qkv"),
            Map.entry("attn.to_v", "x_block.attn.qkv"), Map.entry("attn.to_out.0", "x_block.attn.proj"),
            Map.entry("attn.add_q_proj", "context_block.attn.qkv"),
            Map.entry("attn.add_k_proj", "context_block.attn.qkv"),
            Map.entry("attn.add_v_proj", "context_block.attn.qkv"),
            Map.entry("attn.to_add_out", "context_block.attn.proj"),
            Map.entry("attn2.to_q", "x_block.attn2.qkv"), Map.entry("attn2.to_k", "x_block.attn2.qkv"),
            Map.entry("attn2.to_v", "x_block.attn2.qkv"), Map.entry("attn2.to_out.0", "x_block.attn2.proj"),
            Map.entry("ff.net.0.proj", "x_block.mlp.fc1"), Map.entry("ff.net.2", "x_block.mlp.fc2"),
            Map.entry("ff_context.net.0.proj", "context_block.mlp.fc1"),
            Map.entry("ff_context.net.2", "context_block.mlp.fc2"));
    private static final String FUSED = ".qkv";
    private static final int FUSED_PARTS = 3;

    /**
     * @param module  a name of the diffusers layout without {@code .weight}
     * @param twoPart whether it has twice as many rows as columns, as an adaLN of shift and scale alone
     * @return null for a module that the denoiser does not have
     */
    static StabilityName of(String module, boolean twoPart) {
        if (OUTSIDE.containsKey(module)) {
            return new StabilityName(OUTSIDE.get(module), 0, 1, module.equals("norm_out.linear"));
        }
        Matcher block = BLOCK.matcher(module);
        String inBlock = block.matches() ? IN_BLOCK.get(block.group(2)) : null;
        if (inBlock == null) {
            return null;
        }
        String name = "joint_blocks." + block.group(1) + "." + inBlock;
        if (!inBlock.endsWith(FUSED)) {
            return new StabilityName(name, 0, 1, twoPart && block.group(2).equals("norm1_context.linear"));
        }
        String projection = block.group(2);
        int part = projection.contains("q") ? 0 : projection.contains("k") ? 1 : 2;
        return new StabilityName(name, part, FUSED_PARTS, false);
    }
}
