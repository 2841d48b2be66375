package jdiffusion.model.flux;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.model.JsonTree;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.TensorList;

/**
 * A transformer of FLUX.1.
 *
 * @param depth      double stream blocks
 * @param singles    single stream blocks
 * @param heads      attention heads
 * @param head       channels of a head
 * @param guidance   whether a guidance scale is embedded
 * @param sampleSize side of the latents of the usual picture
 * @param contextDim width of the text embeddings
 * @param pooledDim  width of the pooled text embedding
 */
record FluxSizes(int depth, int singles, int heads, int head, boolean guidance, int sampleSize, int contextDim,
                 int pooledDim) implements NetworkSizes {
    static final int CHANNELS = 16;
    static final int PACKED = CHANNELS * FluxConfig.PATCH * FluxConfig.PATCH;
    /** So small that shift, scale and gate stay well below 1, and the residual stream grows slowly. */
    private static final double MODULATION = 0.2;

    int hidden() {
        return heads * head;
    }

    /** The same with other numbers of blocks. */
    FluxSizes withBlocks(int doubles, int single) {
        return new FluxSizes(doubles, single, heads, head, guidance, sampleSize, contextDim, pooledDim);
    }

    @Override
    public ObjectNode config() {
        ObjectNode config = JsonTree.object().put("_class_name", FluxNetwork.CLASS).put("patch_size", 1)
                .put("in_channels", PACKED).putNull("out_channels").put("num_layers", depth)
                .put("num_single_layers", singles).put("attention_head_dim", head)
                .put("num_attention_heads", heads).put("joint_attention_dim", contextDim)
                .put("pooled_projection_dim", pooledDim).put("guidance_embeds", guidance);
        ArrayNode axes = config.putArray("axes_dims_rope");
        FluxConfig.usualAxes(head).forEach(axes::add);
        return sampleSize == Flux.SAMPLE_SIZE ? config : config.put("sample_size", sampleSize);
    }

    @Override
    public void tensors(TensorList t) {
        int d = hidden();
        t.linear("x_embedder", d, PACKED).linear("context_embedder", d, contextDim);
        embedder(t, "timestep_embedder", FluxConfig.TIMESTEP_CHANNELS);
        embedder(t, "text_embedder", pooledDim);
        if (guidance) {
            embedder(t, "guidance_embedder", FluxConfig.TIMESTEP_CHANNELS);
        }
        for (int i = 0; i < depth; i++) {
            doubleBlock(t, FluxConfig.DOUBLE_BLOCKS + "." + i);
        }
        for (int i = 0; i < singles; i++) {
            singleBlock(t, FluxConfig.SINGLE_BLOCKS + "." + i);
        }
        t.linear("norm_out.linear", MODULATION, 2 * d, d).linear("proj_out", PACKED, d);
    }

    private void embedder(TensorList t, String name, int in) {
        t.linear("time_text_embed." + name + ".linear_1", hidden(), in)
                .linear("time_text_embed." + name + ".linear_2", hidden(), hidden());
    }

    private void doubleBlock(TensorList t, String block) {
        int d = hidden();
        int inner = FluxConfig.MLP_RATIO * d;
        t.linear(block + ".norm1.linear", MODULATION, DoubleStreamBlock.PARTS * d, d)
                .linear(block + ".norm1_context.linear", MODULATION, DoubleStreamBlock.PARTS * d, d);
        for (String norm : new String[] {"norm_q", "norm_k", "norm_added_q", "norm_added_k"}) {
            t.scale(block + ".attn." + norm, head);
        }
        for (String name : new String[] {"to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj",
            "to_add_out"}) {
            t.linear(block + ".attn." + name, d, d);
        }
        for (String mlp : new String[] {".ff", ".ff_context"}) {
            t.linear(block + mlp + ".net.0.proj", inner, d).linear(block + mlp + ".net.2", d, inner);
        }
    }

    private void singleBlock(TensorList t, String block) {
        int d = hidden();
        int inner = FluxConfig.MLP_RATIO * d;
        t.linear(block + ".norm.linear", MODULATION, SingleStreamBlock.PARTS * d, d)
                .linear(block + ".proj_mlp", inner, d).linear(block + ".proj_out", d, d + inner);
        for (String name : new String[] {"to_q", "to_k", "to_v"}) {
            t.linear(block + ".attn." + name, d, d);
        }
        t.scale(block + ".attn.norm_q", head).scale(block + ".attn.norm_k", head);
    }
}
