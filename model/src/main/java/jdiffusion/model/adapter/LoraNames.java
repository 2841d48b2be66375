package jdiffusion.model.adapter;

import java.util.EnumMap;
import java.util.Map;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ModelFiles;

/**
 * Finds what a module of a LoRA file is in the model. Files write a prefix for the component, by the program that
 * trained them, and after it the module's name.
 */
final class LoraNames {
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

    /** The component that a module belongs to by its prefix and that the model is without; null for none. */
    Component leftOut(String module) {
        return architecture.formats().stream().filter(format -> format.component().isEncoder()
                        && !targets.containsKey(format.component())
                        && format.adapters().stream().anyMatch(module::startsWith))
                .map(ComponentFormat::component).findFirst().orElse(null);
    }

    /** A norm of the model. */
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

    /** Null when the model has nothing of that name. */
    Match find(String module) {
        for (Map.Entry<Component, LoraTargets> component : targets.entrySet()) {
            for (String prefix : architecture.format(component.getKey()).adapters()) {
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
