package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;

/**
 * What the user says about a model beside its path.
 *
 * @param files     components that are taken from files of their own, whatever the model itself holds
 * @param leftOut   text encoders to do without
 * @param tokenizer folder of tokenizer files; null for the usual places
 * @param variant   the family, where shapes leave it open; null for what shapes and name say
 */
public record ModelSources(Map<Component, Path> files, Set<Component> leftOut, Path tokenizer, Family variant) {
    /** Nothing. */
    public static final ModelSources NONE = new ModelSources(Map.of(), Set.of(), null, null);

    public ModelSources {
        files = files.isEmpty() ? Map.of() : Map.copyOf(new EnumMap<>(files));
        leftOut = Set.copyOf(leftOut);
    }

    boolean isNothing() {
        return files.isEmpty() && leftOut.isEmpty() && tokenizer == null && variant == null;
    }
}
