package jdiffusion.model.guidance;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/**
 * The variants of guidance of a request. They act in this order, however they are given: the interval decides whether
 * an evaluation is guided; a worse network may predict with the negative prompt; the formula combines the predictions
 * without and with the prompt; each push is added, after skip-layer guidance; the result is rescaled.
 *
 * @param all at most one interval, one worse network, one formula, one rescale and one push of a kind
 */
public record Guiders(List<Guider> all) {
    /** Classifier-free guidance alone. */
    public static final Guiders NONE = new Guiders(List.of());

    public Guiders {
        all = List.copyOf(all);
        for (int i = 0; i < all.size(); i++) {
            for (Guider other : all.subList(0, i)) {
                checkTogether(other, all.get(i));
            }
        }
    }

    private static void checkTogether(Guider a, Guider b) {
        if (a.getClass() == b.getClass()) {
            throw new InputException("the guiders " + a.text() + " and " + b.text() + " are the same; leave one out");
        }
        if (a instanceof Formula && b instanceof Formula) {
            throw new InputException("the guiders " + name(a) + " and " + name(b) + " both replace the formula of"
                    + " guidance; leave one of the two out");
        }
    }

    private static String name(Guider guider) {
        return guider.text().replaceFirst("\\(.*", "");
    }

    /**
     * Reads names with arguments between commas.
     *
     * @param option that the text is of, for messages
     * @throws InputException when there is no such guider, a setting is out of range, or two exclude each other
     */
    public static Guiders of(String option, String text) {
        if (text.isBlank()) {
            throw new InputException(option + " is empty; give one or more of " + GuiderKind.names());
        }
        List<Guider> all = new ArrayList<>();
        for (Call call : Call.all(option, text)) {
            all.add(GuiderKind.read(option, call));
        }
        return new Guiders(all);
    }

    /** As {@link #of} reads it; empty for none. */
    public String text() {
        return all.stream().map(Guider::text).collect(Collectors.joining(", "));
    }

    /** What takes the place of classifier-free guidance; null for nothing. */
    public Formula formula() {
        return first(Formula.class);
    }

    /** Null where all evaluations are guided. */
    public Guider.Interval interval() {
        return first(Guider.Interval.class);
    }

    /** The share of rescaling; 0 for none. */
    public double rescale() {
        Guider.Rescale rescale = first(Guider.Rescale.class);
        return rescale == null ? 0 : rescale.share();
    }

    /** Layers that the network leaves out with the negative prompt; usually none. */
    public List<Integer> leftOut() {
        Guider.Auto auto = first(Guider.Auto.class);
        return auto == null ? List.of() : auto.layers();
    }

    public List<Push> pushes() {
        return all.stream().filter(Push.class::isInstance).map(Push.class::cast).toList();
    }

    private <T extends Guider> T first(Class<T> type) {
        return all.stream().filter(type::isInstance).map(type::cast).findFirst().orElse(null);
    }
}
