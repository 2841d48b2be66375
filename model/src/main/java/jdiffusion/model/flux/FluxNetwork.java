package jdiffusion.model.flux;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/** The files of FLUX.1's transformer. */
final class FluxNetwork implements Network {
    static final String CLASS = "FluxTransformer2DModel";
    private static final List<Signature> SIGNATURES =
            Stream.of("model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "net.", "")
                    .flatMap(prefix -> Stream.of(
                            new Signature(prefix, List.of("double_blocks.", "single_blocks."), FluxNames.NAMES, false),
                            new Signature(prefix, List.of(FluxConfig.SINGLE_BLOCKS + ".",
                                    FluxConfig.DOUBLE_BLOCKS + "."), Naming.DIFFUSERS, false)))
                    .toList();

    @Override
    public String label() {
        return "FLUX.1's transformer";
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
        return FluxNames.NAMES;
    }

    @Override
    public List<Naming> adapters() {
        return List.of(FluxNames.NAMES, FluxNames.XLABS);
    }

    /** LoRAs trained on [dev] are drawn with on [schnell]. */
    @Override
    public Map<String, String> ofSome() {
        String label = "the embedding of guidance, which FLUX.1 [dev] has and this model has not";
        return Map.of("guidance_in.", label, "time_text_embed.guidance_embedder.", label);
    }

    /** The shapes say all, and the published axes the rest. */
    @Override
    public ObjectNode derived(TensorSource tensors) {
        return JsonTree.object();
    }

    @Override
    public Set<String> silent() {
        return Set.of("axes_dims_rope");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        FluxConfig c = FluxConfig.of(weights, config);
        ObjectNode json = JsonTree.object().put("_class_name", CLASS).put("patch_size", 1)
                .put("in_channels", c.packed()).putNull("out_channels").put("num_layers", c.depth())
                .put("num_single_layers", c.singles()).put("attention_head_dim", c.headDim())
                .put("num_attention_heads", c.heads()).put("joint_attention_dim", c.contextDim())
                .put("pooled_projection_dim", c.pooledDim()).put("guidance_embeds", c.guidance());
        ArrayNode axes = json.putArray("axes_dims_rope");
        c.axes().forEach(axes::add);
        return json;
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains(CLASS);
    }

    @Override
    public FluxTransformer load(Weights weights, ConfigFile config) {
        return FluxTransformer.load(weights, config);
    }

    /** The layers that city96's GGUF files leave as they are. */
    @Override
    public String sensitive(String tensor) {
        return tensor.startsWith("x_embedder.") || tensor.startsWith("context_embedder.")
                || tensor.startsWith("time_text_embed.") ? "embedder"
                : tensor.startsWith("norm_out.") || tensor.startsWith("proj_out.") ? "final layer" : null;
    }
}
