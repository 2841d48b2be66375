package jdiffusion.model.auraflow;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.model.JsonTree;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.TensorList;

/**
 * A transformer of AuraFlow.
 *
 * @param joint      joint blocks
 * @param single     single blocks
 * @param heads      attention heads
 * @param head       channels of a head
 * @param positions  side of the table of positions
 * @param contextDim width of the text embeddings
 */
record AuraFlowSizes(int joint, int single, int heads, int head, int positions, int contextDim)
        implements NetworkSizes {
    static final int CHANNELS = 4;
    static final int REGISTERS = 8;
    private static final int PATCHED = CHANNELS * AuraFlowConfig.USUAL_PATCH * AuraFlowConfig.USUAL_PATCH;
    /** So small that shift, scale and gate stay well below 1, and the residual stream grows slowly. */
    private static final double MODULATION = 0.2;
    private static final double POSITIONS = 0.1;

    int hidden() {
        return heads * head;
    }

    int inner() {
        return AuraFlowConfig.usualInner(hidden());
    }

    @Override
    public ObjectNode config() {
        return JsonTree.object().put("_class_name", AuraFlowNetwork.CLASS).put("sample_size", positions)
                .put("patch_size", AuraFlowConfig.USUAL_PATCH).put("in_channels", CHANNELS)
                .put("num_mmdit_layers", joint).put("num_single_dit_layers", single)
                .put("attention_head_dim", head).put("num_attention_heads", heads)
                .put("joint_attention_dim", contextDim).put("caption_projection_dim", hidden())
                .put("out_channels", CHANNELS).put("pos_embed_max_size", positions * positions);
    }

    @Override
    public void tensors(TensorList t) {
        int d = hidden();
        t.normal("register_tokens", 0, 1, 1, REGISTERS, d)
                .normal("pos_embed.pos_embed", 0, POSITIONS, 1, positions * positions, d)
                .linear("pos_embed.proj", d, PATCHED).matrix("context_embedder", 1, d, contextDim)
                .linear("time_step_proj.linear_1", d, AuraFlowConfig.TIME_CHANNELS)
                .linear("time_step_proj.linear_2", d, d);
        for (int i = 0; i < joint; i++) {
            String block = AuraFlowConfig.JOINT_BLOCKS + "." + i;
            side(t, block + ".norm1", block + ".ff", block + ".attn.", "to_q", "to_k", "to_v", "to_out.0");
            side(t, block + ".norm1_context", block + ".ff_context", block + ".attn.", "add_q_proj", "add_k_proj",
                    "add_v_proj", "to_add_out");
        }
        for (int i = 0; i < single; i++) {
            String block = AuraFlowConfig.SINGLE_BLOCKS + "." + i;
            side(t, block + ".norm1", block + ".ff", block + ".attn.", "to_q", "to_k", "to_v", "to_out.0");
        }
        t.matrix("norm_out.linear", MODULATION, 2 * d, d).matrix("proj_out", 1, PATCHED, d);
    }

    private void side(TensorList t, String norm, String ff, String attn, String... projections) {
        int d = hidden();
        t.matrix(norm + ".linear", MODULATION, 6 * d, d);
        for (String name : projections) {
            t.matrix(attn + name, 1, d, d);
        }
        t.matrix(ff + ".linear_1", 1, inner(), d).matrix(ff + ".linear_2", 1, inner(), d)
                .matrix(ff + ".out_projection", 1, d, inner());
    }
}
