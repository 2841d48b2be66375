package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Diffusers' names of the autoencoder, also those that its attention had before, as in {@code sd-vae-ft-mse}. */
public final class DiffusersVaeNames implements Naming {
    private static final Pattern OLD = Pattern.compile(
            "((?:encoder|decoder)\\.mid_block\\.attentions\\.0\\.)(query|key|value|proj_attn)(\\.(?:weight|bias))");
    private static final Map<String, String> NEW = Map.of("query", "to_q", "key", "to_k", "value", "to_v",
            "proj_attn", "to_out.0");

    @Override
    public String label() {
        return Naming.DIFFUSERS.label();
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return originals.stream().map(name -> {
            Matcher old = OLD.matcher(name);
            return Mapped.plain(name, old.matches() ? old.group(1) + NEW.get(old.group(2)) + old.group(3) : name);
        }).toList();
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return Naming.DIFFUSERS.toOriginal(names);
    }
}
