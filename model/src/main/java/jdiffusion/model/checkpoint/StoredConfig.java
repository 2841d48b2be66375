package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;

/**
 * What the shapes of a model's tensors do not say. A single file has no configuration beside it, so those that this
 * program writes keep it as a JSON object in their metadata: an object for each component, by its folder in the
 * diffusers layout, and those of the scheduler and of the wishes for sampling.
 */
public final class StoredConfig {
    /** The key of the metadata, in safetensors and GGUF alike. */
    public static final String KEY = "jdiffusion.config";
    public static final String SCHEDULER = "scheduler";
    public static final String GENERATION = "generation";

    private static final String HEADS = "num_attention_heads";
    private static final String GROUPS = "norm_num_groups";

    private StoredConfig() {
    }

    /** The part of a config.json that is kept. */
    public static ObjectNode kept(Component component, ObjectNode config) {
        return config.deepCopy().retain(silent(component));
    }

    /** The keys that shapes say nothing of. */
    private static Set<String> silent(Component component) {
        return switch (component) {
            case DENOISER -> Set.of("sample_size");
            case VAE -> Set.of(GROUPS, "scaling_factor", "shift_factor");
            case CLIP_L, CLIP_G -> Set.of(HEADS, "hidden_act", "layer_norm_eps", "eos_token_id");
            case T5 -> Set.of("relative_attention_max_distance", "layer_norm_epsilon");
        };
    }

    /**
     * A component's part of a file's metadata; null when there is none, or none that goes with the tensors.
     *
     * @param tensors under diffusers' names
     */
    static ObjectNode of(Path file, WeightsFile weights, Component component, TensorSource tensors) {
        ObjectNode part = part(file, weights, component.folder());
        return part == null || !fits(component, part, tensors) ? null : part.retain(silent(component));
    }

    /** A file's scheduler or wishes; null when there are none. */
    static ObjectNode of(Path file, String part) {
        try (WeightsFile weights = WeightsFile.open(file)) {
            return part(file, weights, part);
        }
    }

    private static ObjectNode part(Path file, WeightsFile weights, String name) {
        String text = weights.metadata(KEY);
        if (text == null) {
            return null;
        }
        JsonNode root = JsonTree.read(text.getBytes(StandardCharsets.UTF_8), file + ": " + KEY + " in its metadata");
        return root != null && root.get(name) instanceof ObjectNode part ? part : null;
    }

    private static boolean fits(Component component, ObjectNode part, TensorSource tensors) {
        return switch (component) {
            case VAE -> divides(part.path(GROUPS), tensors.shape("decoder.conv_norm_out.weight"));
            case CLIP_L, CLIP_G -> divides(part.path(HEADS), tensors.shape("text_model.final_layer_norm.weight"));
            case T5, DENOISER -> true;
        };
    }

    private static boolean divides(JsonNode number, Shape width) {
        return number.isMissingNode() || number.isInt() && number.intValue() > 0 && width != null && width.rank() > 0
                && width.dim(0) % number.intValue() == 0;
    }
}
