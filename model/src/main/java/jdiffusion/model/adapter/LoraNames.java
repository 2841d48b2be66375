package jdiffusion.model.adapter;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ModelFiles;

/**
 * Finds what a module of a LoRA file is in the model. Files write a prefix for the component, by the program that
 * trained them, and after it the module's name.
 */
final class LoraNames {
    /** What some program put before a module's names; no word that stands for another network. */
    private static final Pattern WORD = Pattern.compile("(?!control|ema|text|clip|t5|te\\d*\\.|\\w*adapter|vae"
            + "|first_stage|encoder|decoder|teacher|refiner|prior|discriminator)[a-zA-Z_]+\\.");

    private final Architecture architecture;
    private final Map<Component, LoraTargets> targets = new EnumMap<>(Component.class);

    /** What a module changes, and of which component. */
    record Match(Component component, LoraTargets.Target target) {
    }

    LoraNames(ModelFiles files) {
        architecture = files.architecture();
        for (ComponentFormat format : architecture.formats()) {
            Component component = format.component();
            if (files.has(component) && !format.adapters().isEmpty()) {
                try (ModelFiles.Open open = files.inspect(component)) {
                    targets.put(component, new LoraTargets(format.network(), open.tensors()));
                }
            }
        }
    }

    /** A module's name without its first word, where that may be some program's; null for none. */
    static String behindWord(String module) {
        Matcher word = WORD.matcher(module);
        return word.lookingAt() ? module.substring(word.end()) : null;
    }

    /** What a module belongs to that the model is without: an encoder, or a part of some models; null for none. */
    String leftOut(String module) {
        for (String name = module; name != null; name = behindWord(name)) {
            Component component = leftOutAs(name);
            if (component != null) {
                return component.label() + ", which is left out";
            }
        }
        return find(module, (_, label) -> label, LoraTargets::ofOthers);
    }

    private Component leftOutAs(String module) {
        return architecture.formats().stream().filter(format -> format.component().isEncoder()
                        && !targets.containsKey(format.component())
                        && format.adapters().stream().anyMatch(module::startsWith))
                .map(ComponentFormat::component).findFirst().orElse(null);
    }

    /** A norm of the model: its tensor, or the module that has it. */
    record Norm(Component component, String tensor) {
    }

    /** The norm that a tensor of a file stands for; null for none. */
    Norm norm(String name) {
        for (Map.Entry<Component, LoraTargets> component : targets.entrySet()) {
            for (String prefix : architecture.format(component.getKey()).adapters()) {
                String tensor = name.startsWith(prefix)
                        ? component.getValue().norm(name.substring(prefix.length())) : null;
                if (tensor != null) {
                    return new Norm(component.getKey(), tensor);
                }
            }
        }
        return null;
    }

    /** Null when the model has no matrix of that name. */
    Match find(String module) {
        return find(module, (component, target) -> target == null ? null : new Match(component, target),
                LoraTargets::find);
    }

    /** The norm of a module, by the module's name in the diffusers layout; null when the model has none. */
    Norm findNorm(String module) {
        return find(module, (component, name) -> name == null ? null : new Norm(component, name), LoraTargets::vector);
    }

    private <T, R> R find(String module, BiFunction<Component, T, R> found, BiFunction<LoraTargets, String, T> look) {
        for (String name = module; name != null; name = behindWord(name)) {
            for (Map.Entry<Component, LoraTargets> component : targets.entrySet()) {
                for (String prefix : architecture.format(component.getKey()).adapters()) {
                    R one = name.startsWith(prefix) ? found.apply(component.getKey(),
                            look.apply(component.getValue(), name.substring(prefix.length()))) : null;
                    if (one != null) {
                        return one;
                    }
                }
            }
        }
        return null;
    }
}
