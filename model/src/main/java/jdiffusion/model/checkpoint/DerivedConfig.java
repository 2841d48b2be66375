package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;

/**
 * What a {@code config.json} would say that shapes do not, for files that come without one: the values of the
 * published models.
 */
final class DerivedConfig {
    private static final String POSITIONS = "pos_embed.pos_embed";
    private static final String PATCHES = "pos_embed.proj.weight";
    /** All published encoders have heads of 64; very small ones still have two. */
    private static final int HEAD = 64;
    private static final int LEAST_HEADS = 2;
    /** Side of the latents of the published models' pictures of 1024 pixels. */
    private static final int LATENT_SIDE = 128;

    private DerivedConfig() {
    }

    /**
     * @param tensors under diffusers' names
     * @param origin  names the file in messages
     */
    static ConfigFile of(Component component, TensorSource tensors, String origin) {
        ObjectNode json = JsonTree.object();
        switch (component) {
            case CLIP_L, CLIP_G -> {
                Shape tokens = tensors.shape(Contents.TOKENS);
                json.put("num_attention_heads", Math.max(LEAST_HEADS, tokens == null ? 0 : tokens.cols() / HEAD))
                        .put("hidden_act", component == Component.CLIP_L ? "quick_gelu" : "gelu");
            }
            case DENOISER -> {
                Shape positions = tensors.shape(POSITIONS);
                Shape patches = tensors.shape(PATCHES);
                if (positions != null && patches != null && positions.rank() == 3 && patches.rank() == 4) {
                    double largest = Math.sqrt(positions.dim(1)) * patches.dim(2);
                    json.put("sample_size", (int) Math.max(1, Math.min(LATENT_SIDE, largest)));
                }
            }
            case VAE -> json.put("scaling_factor", 1.5305).put("shift_factor", 0.0609);
            case T5 -> {
                // The shapes say all, and the defaults the rest.
            }
        }
        return ConfigFile.of(origin, json);
    }

    /**
     * The configuration beside a file that belongs to it, named {@code NAME.json} or {@code config.json}; null when
     * there is none of this component and size.
     */
    static ConfigFile beside(Path file, Component component, TensorSource tensors) {
        String name = file.getFileName().toString();
        String stem = name.replaceFirst("(?i)(\\.safetensors(\\.index(\\.[\\w-]+)?\\.json)?|\\.gguf)$", "");
        for (String candidate : List.of(stem + ".json", "config.json")) {
            Path path = file.resolveSibling(candidate);
            if (!candidate.equals(name) && InputFile.isThere(path)) {
                ConfigFile config = ConfigFile.read(path);
                if (isOf(config, component, tensors)) {
                    return config;
                }
            }
        }
        return null;
    }

    private static boolean isOf(ConfigFile config, Component component, TensorSource tensors) {
        String kind = config.root().path("_class_name").asText("") + " "
                + config.root().path("architectures").path(0).asText("") + " "
                + config.root().path("model_type").asText("");
        return switch (component) {
            case DENOISER -> kind.contains("SD3Transformer2DModel");
            case VAE -> kind.contains("AutoencoderKL");
            case T5 -> kind.contains("T5") || kind.endsWith(" t5");
            case CLIP_L, CLIP_G -> {
                Shape tokens = tensors.shape(Contents.TOKENS);
                yield (kind.contains("CLIPText") || kind.contains("clip_text")) && tokens != null
                        && config.root().path("hidden_size").asInt() == tokens.cols();
            }
        };
    }
}
