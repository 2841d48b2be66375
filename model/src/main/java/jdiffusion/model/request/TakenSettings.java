package jdiffusion.model.request;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import jdiffusion.model.settings.FoundSettings;
import jdiffusion.tensor.InputException;

/** A picture's settings of which one after the other is taken; what nobody takes can be told to the user. */
public final class TakenSettings {
    private final String file;
    private final FoundSettings found;
    private final Set<String> unused;

    /** @param file which the picture is in, for messages */
    public TakenSettings(String file, FoundSettings found) {
        this.file = file;
        this.found = found;
        this.unused = new LinkedHashSet<>(found.more().keySet());
    }

    public FoundSettings found() {
        return found;
    }

    public String file() {
        return file;
    }

    /** The value of a name; null for none. */
    public String take(String key) {
        unused.remove(key);
        return found.more().get(key);
    }

    /** Names that change nothing. */
    public void pass(Collection<String> keys) {
        unused.removeAll(keys);
    }

    /** Names that nobody took, in order. */
    public Set<String> unused() {
        return new LinkedHashSet<>(unused);
    }

    public Integer integer(String key) {
        String value = take(key);
        try {
            return value == null ? null : Integer.valueOf(value);
        } catch (NumberFormatException e) {
            throw wrong(key, value, "a whole number", e);
        }
    }

    public Double precise(String key) {
        String value = take(key);
        try {
            return value == null ? null : Double.valueOf(value);
        } catch (NumberFormatException e) {
            throw wrong(key, value, "a number", e);
        }
    }

    public Float decimal(String key) {
        String value = take(key);
        try {
            return value == null ? null : Float.valueOf(value);
        } catch (NumberFormatException e) {
            throw wrong(key, value, "a number", e);
        }
    }

    /** That a value is not what its name stands for. */
    public InputException wrong(String key, String value, String wanted, Exception cause) {
        return new InputException(file + ": the picture's '" + key + "' is '" + InputException.shown(value)
                + "', not " + wanted, cause);
    }
}
