package jdiffusion.model.checkpoint.names;

import java.util.List;
import java.util.regex.Pattern;
import jdiffusion.tensor.TensorSource;

/**
 * Names without what PyTorch puts into them where a model, or a part of it, is wrapped while it is saved:
 * {@code torch.compile}, data parallel and sharded training, checkpointing of activations, Lightning.
 */
public final class Wrappers {
    private static final String ALL = "(?:_orig_mod|_orig_module|module|_fsdp_wrapped_module"
            + "|_checkpoint_wrapped_module|_forward_module|_dp_module)";
    /** What a trainer's file has around the model in it. */
    private static final String WHOLE = "state_dict";
    private static final Pattern DOTTED = Pattern.compile("(?<=^|\\.)(?:" + ALL + "|" + WHOLE + ")\\.");
    /** As kohya's scripts write it, with underscores for dots; a wrapper's own underscore comes after that one. */
    private static final Pattern FLAT = Pattern.compile("(?<=^|_)" + ALL + "_");

    private Wrappers() {
    }

    /** A name whose parts are separated by dots. */
    public static String without(String name) {
        return mayHave(name, '.') || name.contains(WHOLE) ? DOTTED.matcher(name).replaceAll("") : name;
    }

    /** A name whose parts are separated by underscores. */
    public static String withoutFlat(String name) {
        return mayHave(name, '_') ? FLAT.matcher(name).replaceAll("") : name;
    }

    /** Few names have, and files have thousands. */
    private static boolean mayHave(String name, char separator) {
        return name.contains("module" + separator) || name.contains("_orig_mod" + separator);
    }

    /**
     * The source under names without wrappers; the source itself when there are none.
     *
     * @param source with quantised matrices already put together
     * @throws jdiffusion.tensor.InputException when two names become one
     */
    public static TensorSource without(TensorSource source) {
        List<Mapped> all = source.names().stream().map(name -> Mapped.plain(name, without(name))).toList();
        return all.stream().allMatch(Mapped::same) ? source : RenamedSource.of(source, "", all);
    }
}
