package jdiffusion.model.text;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.LlamaT5Names;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.T5Names;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * The files of T5's encoder.
 *
 * @param signatures of a family's files
 */
public record T5Network(List<Signature> signatures) implements Network {
    /**
     * T5 v1.1.
     *
     * @param prefixes of its names in a family's files, beside those by which programs name T5 itself
     */
    public static T5Network of(String... prefixes) {
        List<String> all = new ArrayList<>(List.of("text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.",
                "t5xxl.transformer.", "t5xxl."));
        all.addAll(List.of(prefixes));
        all.add("");
        List<Signature> signatures = new ArrayList<>();
        for (String prefix : all) {
            signatures.add(new Signature(prefix, "encoder.block.", new T5Names("")));
            signatures.add(new Signature(prefix, "enc.blk.", LlamaT5Names.NAMES));
        }
        signatures.add(new Signature("", "block.0.layer.0.SelfAttention.", new T5Names("encoder.")));
        return new T5Network(List.copyOf(signatures));
    }

    @Override
    public String label() {
        return "T5";
    }

    @Override
    public String className() {
        return "T5EncoderModel";
    }

    @Override
    public TokenizerKind tokenizer() {
        return TokenizerKind.T5;
    }

    @Override
    public Naming original() {
        return Naming.DIFFUSERS;
    }

    /** The shapes say all, and the defaults the rest. */
    @Override
    public ObjectNode derived(TensorSource tensors) {
        return JsonTree.object();
    }

    @Override
    public Set<String> silent() {
        return Set.of("relative_attention_max_distance", "layer_norm_epsilon");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        T5Config c = load(weights, config).config();
        ObjectNode json = JsonTree.object();
        json.putArray("architectures").add(className());
        return json.put("model_type", "t5").put("vocab_size", c.vocabulary()).put("d_model", c.hidden())
                .put("d_kv", c.headDim()).put("d_ff", c.inner()).put("num_layers", c.depth())
                .put("num_heads", c.heads()).put("relative_attention_num_buckets", c.buckets())
                .put("relative_attention_max_distance", c.maxDistance())
                .put("layer_norm_epsilon", JsonTree.decimal(c.eps())).put("feed_forward_proj", "gated-gelu")
                .put("is_encoder_decoder", false);
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains("T5") || config.kind().endsWith(" t5");
    }

    @Override
    public T5Encoder load(Weights weights, ConfigFile config) {
        return T5Encoder.load(weights, config);
    }
}
