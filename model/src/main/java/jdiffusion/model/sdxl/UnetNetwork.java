package jdiffusion.model.sdxl;

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

/** The files of SDXL's UNet. */
final class UnetNetwork implements Network {
    static final String CLASS = "UNet2DConditionModel";
    /** Channels into which the published models embed each size, and those of the pooled text. */
    private static final int ID_CHANNELS = 256;
    private static final int POOLED = 1280;
    private static final List<Signature> SIGNATURES = Stream.of("model.diffusion_model.", "diffusion_model.", "unet.",
            "model.", "")
            .flatMap(prefix -> Stream.of(
                    new Signature(prefix, List.of("input_blocks.", "label_emb.0."), new UnetNames(), false),
                    new Signature(prefix, List.of("down_blocks.", "add_embedding."), Naming.DIFFUSERS, false)))
            .toList();

    @Override
    public String label() {
        return "SDXL's UNet";
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
        return new UnetNames();
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        ObjectNode json = JsonTree.object();
        ArrayNode heads = json.putArray("attention_head_dim");
        for (int i = 0;; i++) {
            Shape conv = tensors.shape("down_blocks." + i + ".resnets.0.conv1.weight");
            if (conv == null || conv.rank() != 4) {
                break;
            }
            heads.add(UnetConfig.usualHeads(conv.dim(0)));
        }
        if (heads.isEmpty()) {
            json.remove("attention_head_dim");
        }
        Shape added = tensors.shape("add_embedding.linear_1.weight");
        if (added != null && added.rank() == 2 && added.dim(1) > POOLED && (added.dim(1) - POOLED) % ID_CHANNELS == 0) {
            json.put("addition_time_embed_dim", ID_CHANNELS);
        }
        return json;
    }

    @Override
    public Set<String> silent() {
        return Set.of("attention_head_dim", "norm_num_groups", "norm_eps", "addition_time_embed_dim", "sample_size");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        UnetConfig c = UnetConfig.of(weights, config);
        ObjectNode json = JsonTree.object().put("_class_name", CLASS).put("act_fn", "silu")
                .put("addition_embed_type", "text_time");
        int levels = c.channels().size();
        if (c.idChannels() > 0) {
            json.put("addition_time_embed_dim", c.idChannels());
        }
        ArrayNode heads = json.putArray("attention_head_dim");
        ArrayNode widths = json.putArray("block_out_channels");
        ArrayNode down = json.putArray("down_block_types");
        ArrayNode up = json.putArray("up_block_types");
        ArrayNode depths = json.putArray("transformer_layers_per_block");
        for (int i = 0; i < levels; i++) {
            heads.add(c.heads().get(i));
            widths.add(c.channels().get(i));
            depths.add(Math.max(1, c.depths().get(i)));
            down.add(c.depths().get(i) > 0 ? "CrossAttnDownBlock2D" : "DownBlock2D");
            up.add(c.depths().get(levels - 1 - i) > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D");
        }
        if (c.depths().getLast() == 0) {
            // diffusers takes the middle's depth from the last entry, whose resolution has no attention.
            depths.set(levels - 1, JsonTree.of(c.middleDepth()));
        }
        return json.put("center_input_sample", false).put("cross_attention_dim", c.contextDim())
                .put("downsample_padding", 1).put("flip_sin_to_cos", true).put("freq_shift", 0)
                .put("in_channels", c.inChannels()).put("layers_per_block", c.resnets())
                .put("mid_block_scale_factor", 1).put("mid_block_type", "UNetMidBlock2DCrossAttn")
                .put("norm_eps", JsonTree.decimal(c.eps())).put("norm_num_groups", c.groups())
                .put("out_channels", c.outChannels()).put("projection_class_embeddings_input_dim", c.addedDim())
                .put("resnet_time_scale_shift", "default")
                .put("sample_size", config.positiveInteger("sample_size", Sdxl.SAMPLE_SIZE))
                .put("use_linear_projection", true);
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains(CLASS);
    }

    @Override
    public Unet load(Weights weights, ConfigFile config) {
        return Unet.load(weights, config);
    }

    @Override
    public String sensitive(String tensor) {
        return tensor.startsWith("time_embedding.") || tensor.startsWith("add_embedding.")
                || tensor.contains(".time_emb_proj.") ? "embedder" : null;
    }
}
