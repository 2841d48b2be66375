package jdiffusion.model.adapter;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;

/**
 * Finds what a module of a LoRA file is in the model. Files write a prefix for the component, by the program that
 * trained them, and after it the module's name.
 */
final class LoraNames {
    /** diffusers and PEFT; Stability's files and ComfyUI; then with underscores kohya, OneTrainer and LyCORIS. */
    private static final Map<Component, List<String>> PREFIXES = Map.of(
            Component.DENOISER, List.of("transformer.", "base_model.model.transformer.", "base_model.model.",
                    "base_model.model.diffusion_model.", "diffusion_model.", "model.diffusion_model.", "unet.",
                    "model.", "net.", "dit.", "mmdit.", "denoiser.", "lora_unet_", "lora_transformer_", "lycoris_",
                    "lora_", ""),
            Component.CLIP_L, List.of("text_encoder.", "base_model.model.text_encoder.",
                    "text_encoders.clip_l.transformer.", "text_encoders.clip_l.", "clip_l.transformer.", "clip_l.",
                    "lora_te1_", "lora_te_"),
            Component.CLIP_G, List.of("text_encoder_2.", "base_model.model.text_encoder_2.",
                    "text_encoders.clip_g.transformer.", "text_encoders.clip_g.", "clip_g.transformer.", "clip_g.",
                    "lora_te2_"),
            Component.T5, List.of("text_encoder_3.", "base_model.model.text_encoder_3.",
                    "text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.", "t5xxl.transformer.", "t5xxl.",
                    "lora_te3_"));

    private final Map<Component, LoraTargets> targets = new EnumMap<>(Component.class);

    /** What a module changes, and of which component. */
    record Match(Component component, LoraTargets.Target target) {
    }

    LoraNames(ModelFiles files) {
        for (Component component : PREFIXES.keySet()) {
            if (files.has(component)) {
                try (ModelFiles.Open open = files.inspect(component)) {
                    targets.put(component, new LoraTargets(component, open.tensors()));
                }
            }
        }
    }

    /** The component that a module belongs to by its prefix and that the model is without; null for none. */
    Component leftOut(String module) {
        return Component.ENCODERS.stream().filter(encoder -> !targets.containsKey(encoder)
                && PREFIXES.get(encoder).stream().anyMatch(module::startsWith)).findFirst().orElse(null);
    }

    /** Null when the model has nothing of that name. */
    Match find(String module) {
        for (Map.Entry<Component, LoraTargets> component : targets.entrySet()) {
            for (String prefix : PREFIXES.get(component.getKey())) {
                LoraTargets.Target target = module.startsWith(prefix)
                        ? component.getValue().find(module.substring(prefix.length())) : null;
                if (target != null) {
                    return new Match(component.getKey(), target);
                }
            }
        }
        return null;
    }
}
