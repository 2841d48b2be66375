package jdiffusion.model.sd3;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/** The files of an MMDiT or MMDiT-X. */
final class MmditNetwork implements Network {
    static final String CLASS = "SD3Transformer2DModel";
    /** Side of the latents of the published models' pictures of 1024 pixels. */
    private static final int LATENT_SIDE = 128;
    private static final List<Signature> SIGNATURES =
            Stream.of("model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "net.", "")
                    .flatMap(prefix -> Stream.of(new Signature(prefix, "joint_blocks.", new StabilityNames()),
                            new Signature(prefix, "transformer_blocks.", Naming.DIFFUSERS))).toList();

    @Override
    public String label() {
        return "MMDiT";
    }

    @Override
    public String className() {
        return CLASS;
    }

    @Override
    public List<Signature> signatures() {
        return SIGNATURES;
    }

    @Override
    public Naming original() {
        return new StabilityNames();
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        ObjectNode json = JsonTree.object();
        Shape positions = tensors.shape("pos_embed.pos_embed");
        Shape patches = tensors.shape("pos_embed.proj.weight");
        if (positions != null && patches != null && positions.rank() == 3 && patches.rank() == 4) {
            double largest = Math.sqrt(positions.dim(1)) * patches.dim(2);
            json.put("sample_size", (int) Math.max(1, Math.min(LATENT_SIDE, largest)));
        }
        return json;
    }

    @Override
    public Set<String> silent() {
        return Set.of("sample_size");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        MmditConfig c = MmditConfig.of(weights, config);
        ObjectNode json = JsonTree.object().put("_class_name", CLASS).put("sample_size", c.positions())
                .put("patch_size", c.patch()).put("in_channels", c.inChannels()).put("num_layers", c.depth())
                .put("attention_head_dim", c.headDim()).put("num_attention_heads", c.heads())
                .put("joint_attention_dim", c.contextDim()).put("caption_projection_dim", c.hidden())
                .put("pooled_projection_dim", c.pooledDim()).put("out_channels", c.outChannels())
                .put("pos_embed_max_size", c.positions());
        ArrayNode dual = json.putArray("dual_attention_layers");
        c.dualBlocks().forEach(dual::add);
        return json.put("qk_norm", c.qkNorm() ? "rms_norm" : null);
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains(CLASS);
    }

    @Override
    public Mmdit load(Weights weights, ConfigFile config) {
        return Mmdit.load(weights, config);
    }

    @Override
    public String sensitive(String tensor) {
        return tensor.startsWith("context_embedder.") || tensor.startsWith("time_text_embed.") ? "embedder"
                : tensor.startsWith("norm_out.") || tensor.startsWith("proj_out.") ? "final layer" : null;
    }
}
