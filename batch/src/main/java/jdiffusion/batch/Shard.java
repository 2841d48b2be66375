package jdiffusion.batch;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/**
 * A part of a table for one of several machines: every {@code of}-th row from row {@code index} on.
 *
 * @param index from 0
 * @param of    shards in all
 */
public record Shard(int index, int of) {
    /** All rows. */
    public static final Shard WHOLE = new Shard(0, 1);
    /** Where an Indexed Job of Kubernetes says which of its pods this is. */
    public static final String KUBERNETES = "JOB_COMPLETION_INDEX";
    /** Where Slurm says which task of an array this is, and which is the first. */
    public static final String SLURM = "SLURM_ARRAY_TASK_ID";
    public static final String SLURM_FIRST = "SLURM_ARRAY_TASK_MIN";
    private static final Pattern FORM = Pattern.compile("(auto|\\d{1,9})/(\\d{1,9})");

    public Shard {
        if (of < 1 || index < 0 || index >= of) {
            throw new InputException("there is no shard " + index + " of " + of + "; shards are counted from 0 to "
                    + Math.max(0, of - 1));
        }
    }

    /**
     * Reads {@code 3/16}, or {@code auto/16}, where the index is that of an Indexed Job's pod or of a task in Slurm's
     * array.
     *
     * @param environment variables of the process
     */
    public static Shard of(String text, Map<String, String> environment) {
        Matcher form = FORM.matcher(text.toLowerCase(Locale.ROOT));
        if (!form.matches()) {
            throw new InputException("--shard " + InputException.shown(text) + " is no shard; write 3/16 for the fourth"
                    + " of sixteen, or auto/16 in an Indexed Job or a Slurm array");
        }
        int of = Integer.parseInt(form.group(2));
        return new Shard(form.group(1).equals("auto") ? index(environment) : Integer.parseInt(form.group(1)), of);
    }

    private static int index(Map<String, String> environment) {
        if (environment.containsKey(KUBERNETES)) {
            return number(KUBERNETES, environment);
        }
        if (environment.containsKey(SLURM)) {
            return number(SLURM, environment)
                    - (environment.containsKey(SLURM_FIRST) ? number(SLURM_FIRST, environment) : 0);
        }
        throw new InputException("--shard auto: neither " + KUBERNETES + " nor " + SLURM
                + " is set; is this a pod of an Indexed Job, or a task of a Slurm array?");
    }

    private static int number(String name, Map<String, String> environment) {
        try {
            return Integer.parseInt(environment.get(name).strip());
        } catch (NumberFormatException e) {
            throw new InputException(name + " is '" + InputException.shown(environment.get(name))
                    + "', which is no number", e);
        }
    }

    /** Whether a row is in it. */
    public boolean has(Row row) {
        return row.number() % of == index;
    }

    /** For names of files; empty for the whole. */
    public String suffix() {
        return of == 1 ? "" : String.format(Locale.ROOT, "-%05d-of-%05d", index, of);
    }
}
