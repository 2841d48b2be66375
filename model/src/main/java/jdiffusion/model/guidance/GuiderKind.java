package jdiffusion.model.guidance;

import java.util.Arrays;
import java.util.function.Function;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/** All variants of guidance, by the names that {@code --guiders} knows. */
public enum GuiderKind {
    INTERVAL("interval", Guider.Interval::read),
    CFG_ZERO("cfg-zero", CfgZero::read),
    APG("apg", Apg::read),
    TCFG("tcfg", Tangential::read),
    FDG("fdg", FrequencyDecoupled::read),
    MAG("mag", MagnitudeAware::read),
    PAG("pag", Push.PerturbedAttention::read),
    SEG("seg", Push.SmoothedEnergy::read),
    AUTO("auto", Guider.Auto::read),
    RESCALE("rescale", Guider.Rescale::read);

    private final String label;
    private final Function<Call, Guider> reader;

    GuiderKind(String label, Function<Call, Guider> reader) {
        this.label = label;
        this.reader = reader;
    }

    public String label() {
        return label;
    }

    /** All names, for messages and help. */
    public static String names() {
        return Arrays.stream(values()).map(GuiderKind::label).collect(Collectors.joining(", "));
    }

    /** @throws InputException when there is no such guider, or it has no such settings */
    static Guider read(String option, Call call) {
        for (GuiderKind kind : values()) {
            if (kind.label.equals(call.name())) {
                Guider guider = kind.reader.apply(call);
                call.done();
                return guider;
            }
        }
        throw new InputException(option + ": there is no guider '" + InputException.shown(call.name()) + "'; there are "
                + names());
    }
}
