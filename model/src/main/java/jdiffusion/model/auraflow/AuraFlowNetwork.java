package jdiffusion.model.auraflow;

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

/** The files of AuraFlow's transformer. */
final class AuraFlowNetwork implements Network {
    static final String CLASS = "AuraFlowTransformer2DModel";
    private static final List<Signature> SIGNATURES = Stream.of("model.diffusion_model.", "diffusion_model.",
            "transformer.", "model.", "")
            .flatMap(prefix -> Stream.of(
                    new Signature(prefix, List.of("double_layers.", "cond_seq_linear."), AuraFlowNames.NAMES, false),
                    new Signature(prefix, AuraFlowConfig.JOINT_BLOCKS + ".", Naming.DIFFUSERS)))
            .toList();

    @Override
    public String label() {
        return "AuraFlow's transformer";
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
        return AuraFlowNames.NAMES;
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        ObjectNode json = JsonTree.object().put("patch_size", AuraFlowConfig.USUAL_PATCH);
        Shape patches = tensors.shape("pos_embed.proj.weight");
        if (patches != null && patches.rank() == 2) {
            json.put("attention_head_dim", AuraFlowConfig.usualHead(patches.dim(0)));
        }
        return json;
    }

    @Override
    public Set<String> silent() {
        return Set.of("attention_head_dim", "patch_size");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        AuraFlowConfig c = AuraFlowConfig.of(weights, config);
        return JsonTree.object().put("_class_name", CLASS)
                .put("sample_size", config.positiveInteger("sample_size", c.positions()))
                .put("patch_size", c.patch()).put("in_channels", c.inChannels())
                .put("num_mmdit_layers", c.joint()).put("num_single_dit_layers", c.single())
                .put("attention_head_dim", c.headDim()).put("num_attention_heads", c.heads())
                .put("joint_attention_dim", c.contextDim()).put("caption_projection_dim", c.hidden())
                .put("out_channels", c.outChannels()).put("pos_embed_max_size", c.positions() * c.positions());
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains(CLASS);
    }

    @Override
    public AuraFlowTransformer load(Weights weights, ConfigFile config) {
        return AuraFlowTransformer.load(weights, config);
    }

    /** The tensors that city96's converter to GGUF does not quantise either. */
    @Override
    public String sensitive(String tensor) {
        return tensor.startsWith("context_embedder.") || tensor.startsWith("time_step_proj.")
                || tensor.startsWith("pos_embed.") || tensor.equals("register_tokens") ? "embedder"
                : tensor.startsWith("norm_out.") || tensor.startsWith("proj_out.") ? "final layer" : null;
    }
}
