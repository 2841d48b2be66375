package jdiffusion.model.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * Alphas that a file does not store as tensors: diffusers writes PEFT's configuration into the header's
 * {@code lora_adapter_metadata}, for each component under its folder's name, and PEFT itself into
 * {@code adapter_config.json} beside the file. Where there is neither, alpha is the rank.
 */
final class LoraSettings {
    private static final String METADATA = "lora_adapter_metadata";
    private static final String CONFIG = "adapter_config.json";
    private static final String PEFT_FILE = "adapter_model";
    private static final String[] COMPONENTS = {"text_encoder_2.", "text_encoder_3.", "text_encoder.", "transformer."};

    private final JsonNode root;
    private final String origin;

    private LoraSettings(JsonNode root, String origin) {
        this.root = root;
        this.origin = origin;
    }

    static LoraSettings read(Path file, Map<String, String> metadata) {
        String text = metadata.get(METADATA);
        if (text != null) {
            JsonNode root = JsonTree.read(text.getBytes(StandardCharsets.UTF_8), file + ": " + METADATA);
            if (root != null && root.isObject()) {
                return new LoraSettings(root, file + ", " + METADATA);
            }
            throw new InputException(file + ": " + METADATA + " is not a JSON object");
        }
        Path config = file.resolveSibling(CONFIG);
        ConfigFile read = file.getFileName().toString().startsWith(PEFT_FILE) && InputFile.isThere(config)
                ? ConfigFile.read(config) : ConfigFile.empty(config.toString());
        return new LoraSettings(read.root(), config.toString());
    }

    /** alpha / rank, or with PEFT's rsLoRA alpha / sqrt(rank); 1 when nothing is said. */
    double scale(String module, int rank) {
        String prefix = "";
        for (String component : COMPONENTS) {
            if (prefix.isEmpty() && module.startsWith(component) && root.has(component + "lora_alpha")) {
                prefix = component;
            }
        }
        JsonNode alpha = root.get(prefix + "lora_alpha");
        for (Map.Entry<String, JsonNode> pattern : root.path(prefix + "alpha_pattern").properties()) {
            if (module.equals(pattern.getKey()) || module.endsWith("." + pattern.getKey())) {
                alpha = pattern.getValue();
            }
        }
        if (root.path(prefix + "use_dora").asBoolean()) {
            throw new InputException(origin + ": says that this is DoRA, which is not supported; use a plain LoRA");
        }
        if (alpha == null || alpha.isNull()) {
            return 1;
        }
        if (!alpha.isNumber() || !Float.isFinite(alpha.floatValue())) {
            throw new InputException(origin + ": the alpha of " + InputException.shown(module) + " is "
                    + InputException.shown(alpha.toString()) + ", not a number");
        }
        return alpha.doubleValue() / (root.path(prefix + "use_rslora").asBoolean() ? Math.sqrt(rank) : rank);
    }
}
