package jdiffusion.model.text;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.AddedTensor;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.OpenClipNames;
import jdiffusion.model.checkpoint.names.RenamedSource;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * The files of a CLIP text encoder.
 *
 * @param activation of the published one: quick_gelu in CLIP-L, gelu in CLIP-G
 * @param signatures of its role, and those that both roles share
 * @param projection what the family does with its projection
 * @param original   the names that its publisher's files have
 */
public record ClipNetwork(String activation, List<Signature> signatures, Projection projection, Naming original)
        implements Network {
    private static final String PROJECTION = "text_projection.weight";
    private static final String TOWER = "text_model.";
    /** All published encoders have heads of 64; very small ones still have two. */
    private static final int HEAD = 64;
    private static final int LEAST_HEADS = 2;
    /** Far beyond all encoders. */
    private static final int WIDEST = 1 << 13;
    private static final Naming NAMES = new ClipNames();
    private static final List<String> OPEN_CLIP = List.of("transformer.resblocks.", "token_embedding.");

    /** What a family does with the projection of the pooled output. */
    public enum Projection {
        /** It is needed. */
        NEEDED,
        /** It is needed, and files without one are meant to have one that changes nothing. */
        ONE_WHERE_MISSING,
        /** Nothing reads it: in a file that has one it is left out. */
        NONE
    }

    /** CLIP-L. */
    public static ClipNetwork ofL() {
        return ofL(Projection.ONE_WHERE_MISSING);
    }

    /** CLIP-L without its projection, as SDXL and FLUX have it. */
    public static ClipNetwork ofLWithoutProjection() {
        return ofL(Projection.NONE);
    }

    private static ClipNetwork ofL(Projection projection) {
        return new ClipNetwork("quick_gelu", signatures("text_encoders.clip_l.transformer.", "text_encoders.clip_l.",
                "clip_l.transformer.", "clip_l.", "text_encoder.", "te1.", "cond_stage_model.transformer.",
                "conditioner.embedders.0.transformer."), projection, Naming.DIFFUSERS);
    }

    /** OpenCLIP's bigG under the names of transformers. */
    public static ClipNetwork ofG() {
        return new ClipNetwork("gelu", signaturesOfG(), Projection.NEEDED, Naming.DIFFUSERS);
    }

    /** OpenCLIP's bigG under its own names too, which single files of SDXL and of its refiner have. */
    public static ClipNetwork ofOpenClip() {
        List<Signature> all = new ArrayList<>(signaturesOfG());
        for (String prefix : List.of("conditioner.embedders.1.model.", "conditioner.embedders.0.model.", "")) {
            all.add(new Signature(prefix, OPEN_CLIP, OpenClipNames.NAMES, false));
        }
        return new ClipNetwork("gelu", List.copyOf(all), Projection.NEEDED, OpenClipNames.NAMES);
    }

    private static List<Signature> signaturesOfG() {
        return signatures("text_encoders.clip_g.transformer.", "text_encoders.clip_g.", "clip_g.transformer.",
                "clip_g.", "text_encoder_2.", "te2.", "cond_stage_model.1.transformer.");
    }

    private static List<Signature> signatures(String... prefixes) {
        List<Signature> all = new ArrayList<>();
        for (String prefix : prefixes) {
            all.add(new Signature(prefix, TOWER, NAMES));
        }
        all.add(new Signature("", List.of(TOWER), NAMES, true));
        all.add(new Signature("transformer.", List.of(TOWER), NAMES, true));
        all.add(new Signature("", List.of(ClipNames.BARE_TOKENS), new ClipNames(true), true));
        return List.copyOf(all);
    }

    @Override
    public String label() {
        return "CLIP";
    }

    @Override
    public String className() {
        return projection == Projection.NONE ? "CLIPTextModel" : "CLIPTextModelWithProjection";
    }

    @Override
    public TokenizerKind tokenizer() {
        return TokenizerKind.CLIP;
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        Shape tokens = tensors.shape(ClipNames.TOKENS);
        return JsonTree.object()
                .put("num_attention_heads", Math.max(LEAST_HEADS, tokens == null ? 0 : tokens.cols() / HEAD))
                .put("hidden_act", activation);
    }

    @Override
    public Set<String> silent() {
        return Set.of("num_attention_heads", "hidden_act", "layer_norm_eps", "eos_token_id");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        ClipConfig c = load(weights, config).config();
        ObjectNode json = JsonTree.object();
        json.putArray("architectures").add(className());
        return json.put("model_type", "clip_text_model").put("vocab_size", c.vocabulary())
                .put("hidden_size", c.hidden()).put("intermediate_size", c.inner())
                .put("projection_dim", c.projection() == 0 ? c.hidden() : c.projection())
                .put("num_hidden_layers", c.depth())
                .put("num_attention_heads", c.heads()).put("max_position_embeddings", c.positions())
                .put("hidden_act", switch (c.activation()) {
                    case QUICK_GELU -> "quick_gelu";
                    case GELU_TANH -> "gelu_new";
                    default -> "gelu";
                }).put("layer_norm_eps", JsonTree.decimal(c.eps())).put("eos_token_id", c.eosToken());
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        Shape tokens = tensors.shape(ClipNames.TOKENS);
        String kind = config.kind();
        return (kind.contains("CLIPText") || kind.contains("clip_text")) && tokens != null
                && config.root().path("hidden_size").asInt() == tokens.cols();
    }

    @Override
    public ClipTextEncoder load(Weights weights, ConfigFile config) {
        return ClipTextEncoder.load(weights, config);
    }

    @Override
    public String sensitive(String tensor) {
        return tensor.startsWith("text_projection.") ? "final layer" : null;
    }

    @Override
    public TensorSource completed(TensorSource tensors) {
        Shape tokens = tensors.shape(ClipNames.TOKENS);
        boolean has = tensors.shape(PROJECTION) != null;
        return switch (projection) {
            case NEEDED -> tensors;
            case ONE_WHERE_MISSING -> has || tokens == null || tokens.cols() > WIDEST ? tensors
                    : new AddedTensor(tensors, PROJECTION, identity(tokens.cols()));
            case NONE -> !has ? tensors : RenamedSource.of(tensors, "", tensors.names().stream()
                    .filter(name -> !name.equals(PROJECTION)).map(name -> Mapped.plain(name, name)).toList());
        };
    }

    private static Tensor identity(int size) {
        Shape shape = Shape.of(size, size);
        Tensor tensor = Tensor.of(Arena.ofAuto().allocate(shape.size() * DType.F32.bytes(), Long.BYTES), DType.F32,
                shape);
        for (int i = 0; i < size; i++) {
            tensor.set(i, i, 1);
        }
        return tensor;
    }
}
