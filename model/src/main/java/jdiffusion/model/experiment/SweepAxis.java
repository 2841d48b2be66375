package jdiffusion.model.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.family.GenerationRequest.Builder;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sites.Intervene;
import jdiffusion.tensor.InputException;

/**
 * What one dimension of a sweep goes through: the values of an option ({@code cfg-scale=3,4.5,6}), or interventions
 * ({@code remove block.{0..23}}, with braces for a range or {@code {a,b}} for a choice).
 */
public record SweepAxis(List<Setting> settings) {
    private static final Pattern BRACES = Pattern.compile("\\{([^{}]*)}");
    private static final Pattern RANGE = Pattern.compile("(\\d{1,6})\\.\\.(\\d{1,6})");
    private static final int MOST = 10_000;
    /** Options by their names on the command line. */
    private static final Map<String, BiFunction<Builder, String, Builder>> OPTIONS = new TreeMap<>(Map.of(
            "cfg-scale", (b, v) -> b.guidance(number(v)),
            "guidance", (b, v) -> b.embeddedGuidance(number(v)),
            "guidance-rescale", (b, v) -> b.guidanceRescale(number(v)),
            "steps", (b, v) -> b.steps(whole(v)),
            "shift", (b, v) -> b.shift(number(v)),
            "t5-length", (b, v) -> b.t5Length(whole(v)),
            "sampler", (b, v) -> b.sampler(sampler(v)),
            "negative-prompt", Builder::negativePrompt));

    /**
     * One place on the axis.
     *
     * @param label         as the user wrote it
     * @param change        of the request
     * @param interventions of the run
     */
    public record Setting(String label, UnaryOperator<Builder> change, List<Intervene> interventions) {
    }

    /** @throws InputException that names what is known, when it is none of it */
    public static SweepAxis of(String text) {
        int equals = text.indexOf('=');
        String name = equals < 0 ? "" : text.substring(0, equals).strip();
        List<Setting> settings = new ArrayList<>();
        if (name.matches("[a-z0-9-]+")) {
            BiFunction<Builder, String, Builder> option = OPTIONS.get(name);
            if (option == null) {
                throw new InputException("--vary " + text + ": the option " + name + " cannot be varied; use "
                        + String.join(", ", OPTIONS.keySet()) + ", or an intervention such as \"remove block.{0..3}\"");
            }
            for (String value : text.substring(equals + 1).split(",", -1)) {
                String label = name + "=" + value.strip();
                settings.add(new Setting(label, b -> changed(option, b, value.strip(), label), List.of()));
            }
        } else {
            for (String line : expanded(text)) {
                settings.add(new Setting(line, b -> b, List.of(Interventions.of(line))));
            }
        }
        return new SweepAxis(settings);
    }

    private static Builder changed(BiFunction<Builder, String, Builder> option, Builder builder, String value,
                                   String label) {
        try {
            return option.apply(builder, value);
        } catch (InputException e) {
            throw new InputException("--vary " + label + ": " + e.getMessage(), e);
        }
    }

    private static List<String> expanded(String text) {
        Matcher braces = BRACES.matcher(text);
        if (!braces.find()) {
            return List.of(text);
        }
        List<String> all = new ArrayList<>();
        Matcher range = RANGE.matcher(braces.group(1));
        List<String> choices = new ArrayList<>();
        if (range.matches()) {
            for (int i = Integer.parseInt(range.group(1)); i <= Integer.parseInt(range.group(2)); i++) {
                choices.add(Integer.toString(i));
            }
        } else {
            choices.addAll(Arrays.asList(braces.group(1).split(",", -1)));
        }
        for (String choice : choices) {
            all.addAll(expanded(text.substring(0, braces.start()) + choice + text.substring(braces.end())));
            if (all.size() > MOST) {
                throw new InputException("--vary " + text + " stands for more than " + MOST + " interventions");
            }
        }
        if (all.isEmpty()) {
            throw new InputException("--vary " + text + ": " + braces.group() + " is empty");
        }
        return all;
    }

    private static float number(String text) {
        try {
            return Float.parseFloat(text);
        } catch (NumberFormatException e) {
            throw new InputException("'" + text + "' is no number", e);
        }
    }

    private static int whole(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new InputException("'" + text + "' is no whole number", e);
        }
    }

    private static Sampler.Kind sampler(String text) {
        for (Sampler.Kind kind : Sampler.Kind.values()) {
            if (kind.label().equals(text.toLowerCase(Locale.ROOT))) {
                return kind;
            }
        }
        throw new InputException("'" + text + "' is no sampler; use " + String.join(", ",
                Arrays.stream(Sampler.Kind.values()).map(Sampler.Kind::label).toList()));
    }
}
