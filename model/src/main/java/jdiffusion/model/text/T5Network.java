package jdiffusion.model.text;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
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
 * The files of an encoder of T5 or UMT5.
 *
 * @param signatures of a family's files
 */
public record T5Network(Form form, List<Signature> signatures) implements Network {
    private static final Pattern WEIGHT = Pattern.compile("shared\\..*|encoder\\.(?:embed_tokens|final_layer_norm"
            + "|block\\.[0-9]+\\.layer\\.(?:0\\.(?:SelfAttention|layer_norm)|1\\.(?:DenseReluDense|layer_norm)))\\..*"
            + "|[^.]*");

    /** What differs between the two. */
    enum Form {
        T5("T5EncoderModel", TokenizerKind.T5), UMT5("UMT5EncoderModel", TokenizerKind.LLAMA);

        private final String className;
        private final TokenizerKind tokenizer;

        Form(String className, TokenizerKind tokenizer) {
            this.className = className;
            this.tokenizer = tokenizer;
        }
    }

    /**
     * T5 v1.1.
     *
     * @param prefixes of its names in a family's files, beside those by which programs name T5 itself
     */
    public static T5Network of(String... prefixes) {
        List<String> all = new ArrayList<>(List.of("text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.",
                "t5xxl.transformer.", "t5xxl."));
        all.addAll(List.of(prefixes));
        return of(Form.T5, all);
    }

    /**
     * Pile-T5, which has UMT5's form and a tokenizer of Llama's kind.
     *
     * @param prefixes of its names in a family's files
     */
    public static T5Network pile(String... prefixes) {
        return of(Form.UMT5, List.of(prefixes));
    }

    private static T5Network of(Form form, List<String> prefixes) {
        List<String> all = new ArrayList<>(prefixes);
        all.add("");
        List<Signature> signatures = new ArrayList<>();
        for (String prefix : all) {
            signatures.add(new Signature(prefix, "encoder.block.", new T5Names("")));
            signatures.add(new Signature(prefix, "enc.blk.", LlamaT5Names.NAMES));
        }
        signatures.add(new Signature("", "block.0.layer.0.SelfAttention.", new T5Names("encoder.")));
        return new T5Network(form, List.copyOf(signatures));
    }

    @Override
    public String label() {
        return form.name();
    }

    @Override
    public String className() {
        return form.className;
    }

    @Override
    public TokenizerKind tokenizer() {
        return form.tokenizer;
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
        return json.put("model_type", form.name().toLowerCase(Locale.ROOT)).put("vocab_size", c.vocabulary()).put("d_model", c.hidden())
                .put("d_kv", c.headDim()).put("d_ff", c.inner()).put("num_layers", c.depth())
                .put("num_heads", c.heads()).put("relative_attention_num_buckets", c.buckets())
                .put("relative_attention_max_distance", c.maxDistance())
                .put("layer_norm_epsilon", JsonTree.decimal(c.eps())).put("feed_forward_proj", "gated-gelu")
                .put("is_encoder_decoder", false);
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        String kind = config.kind();
        boolean umt5 = kind.contains("UMT5") || kind.endsWith(" umt5");
        return form == Form.UMT5 ? umt5 : !umt5 && (kind.contains("T5") || kind.endsWith(" t5"));
    }

    @Override
    public boolean isWeight(String name) {
        return WEIGHT.matcher(name).matches();
    }

    @Override
    public T5Encoder load(Weights weights, ConfigFile config) {
        return T5Encoder.load(weights, config);
    }
}
