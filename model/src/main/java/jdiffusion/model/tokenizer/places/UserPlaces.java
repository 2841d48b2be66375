package jdiffusion.model.tokenizer.places;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Folders of a user, outside any model, in which vocabularies may lie.
 *
 * @param own this program's; null for none
 * @param hub the cache of Hugging Face's libraries; null for none
 */
public record UserPlaces(Path own, Path hub) {
    /** Nothing but what lies around a model. */
    public static final UserPlaces NONE = new UserPlaces(null, null);

    /**
     * By environment variables, as the huggingface_hub library has it: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME,
     * XDG_CACHE_HOME, then {@code ~/.cache}; the first that is set counts.
     */
    public static UserPlaces of(Map<String, String> environment) {
        Path home = path(environment, null, "HOME", "USERPROFILE");
        Path caches = path(environment, home, "XDG_CACHE_HOME");
        if (caches == null && home != null) {
            caches = home.resolve(".cache");
        }
        Path own = caches == null ? null : caches.resolve("jdiffusion").resolve("tokenizers");
        Path hub = path(environment, home, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE");
        if (hub == null) {
            Path hugging = path(environment, home, "HF_HOME");
            hub = hugging != null ? hugging.resolve("hub")
                    : caches == null ? null : caches.resolve("huggingface").resolve("hub");
        }
        return new UserPlaces(own, hub);
    }

    /** The value of the first variable that has one. */
    private static Path path(Map<String, String> environment, Path home, String... names) {
        for (String name : names) {
            String value = environment.getOrDefault(name, "").strip();
            try {
                if (!value.isEmpty()) {
                    return home != null && (value.equals("~") || value.startsWith("~/"))
                            ? home.resolve(value.substring(Math.min(2, value.length()))) : Path.of(value);
                }
            } catch (InvalidPathException e) {
                // What is no path names no folder.
                continue;
            }
        }
        return null;
    }
}
