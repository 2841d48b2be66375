package jdiffusion.model.pixart;

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
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/** The files of PixArt's transformer. */
final class DitNetwork implements Network {
    static final String CLASS = "PixArtTransformer2DModel";
    /** The class that published files name, which was several networks'. */
    static final String OLD_CLASS = "Transformer2DModel";
    static final String NORM_TYPE = "ada_norm_single";
    private static final String PATCHES = "pos_embed.proj.weight";
    private static final List<Signature> SIGNATURES =
            Stream.of("model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "net.", "")
                    .flatMap(prefix -> Stream.of(
                            new Signature(prefix, List.of("t_block.1.", "y_embedder.y_proj.", "blocks."),
                                    new DitNames(), false),
                            new Signature(prefix, List.of("transformer_blocks.", "adaln_single.", "pos_embed.proj."),
                                    Naming.DIFFUSERS, false))).toList();

    @Override
    public String label() {
        return "PixArt's transformer";
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
        return new DitNames();
    }

    /** Of original files, which say the training size by their table of positions. */
    @Override
    public Set<String> outside() {
        return Set.of(DitNames.POSITIONS, DitNames.NO_TEXT);
    }

    @Override
    public Map<String, Tensor> outside(ConfigFile config) {
        int sampleSize = config.integer("sample_size", 0);
        int hidden = config.integer("attention_head_dim", 0) * config.integer("num_attention_heads", 0);
        int patch = config.integer("patch_size", 0);
        if (sampleSize < 1 || hidden < 1 || patch < 1) {
            return Map.of();
        }
        int side = sampleSize / patch;
        float[] values = Positions.values(side, side, side, config.number("interpolation_scale",
                DitConfig.defaultScale(sampleSize)), hidden);
        return Map.of(DitNames.POSITIONS, Tensor.of(values, 1, side * side, hidden));
    }

    @Override
    public boolean isPrefixedOutside() {
        return true;
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        ObjectNode json = JsonTree.object();
        Shape patches = tensors.shape(PATCHES);
        if (patches == null || patches.rank() != 4) {
            return json;
        }
        Shape positions = tensors.shape(DitNames.POSITIONS);
        boolean told = positions != null && positions.rank() == 3;
        int side = told ? (int) Math.sqrt(positions.dim(1)) * patches.dim(2) : DitConfig.USUAL_SIDE;
        return json.put("sample_size", Math.max(1, side))
                .put("interpolation_scale", JsonTree.decimal((float) DitConfig.usualScale(Math.max(1, side))))
                .put("attention_head_dim", DitConfig.usualHead(patches.dim(0)));
    }

    @Override
    public Set<String> silent() {
        return Set.of("sample_size", "interpolation_scale", "attention_head_dim");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        return DitConfig.of(weights, config).toJson(config.text("_class_name", OLD_CLASS));
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains(CLASS)
                || config.kind().contains(OLD_CLASS) && config.text("norm_type", "").equals(NORM_TYPE);
    }

    @Override
    public Dit load(Weights weights, ConfigFile config) {
        return Dit.load(weights, config);
    }

    @Override
    public String sensitive(String tensor) {
        return tensor.startsWith("adaln_single.") || tensor.startsWith("caption_projection.") ? "embedder"
                : tensor.startsWith("proj_out.") ? "final layer" : null;
    }
}
