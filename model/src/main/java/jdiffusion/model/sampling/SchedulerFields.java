package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import jdiffusion.tensor.InputException;

/** Typed access to the fields of a {@code scheduler_config.json}, in which null is the same as missing. */
record SchedulerFields(JsonNode json) {
    private static final int SHOWN = 60;

    SchedulerFields {
        if (json == null || !json.isObject()) {
            throw new InputException("this is no JSON object; give a scheduler_config.json");
        }
    }

    String text(String name, String standard) {
        return json.hasNonNull(name) ? checked(name, json.get(name).isTextual(), "text").textValue() : standard;
    }

    double number(String name, double standard) {
        return json.hasNonNull(name) ? checked(name, json.get(name).isNumber(), "a number").doubleValue() : standard;
    }

    int integer(String name, int standard) {
        if (!json.hasNonNull(name)) {
            return standard;
        }
        var node = json.get(name);
        return checked(name, node.isIntegralNumber() && node.canConvertToInt(), "a whole number").intValue();
    }

    boolean flag(String name) {
        return flag(name, false);
    }

    boolean flag(String name, boolean standard) {
        return json.hasNonNull(name) ? checked(name, json.get(name).isBoolean(), "true or false").booleanValue()
                : standard;
    }

    /** Which of these texts; the first where there is none. */
    int choice(String name, String... texts) {
        String value = text(name, texts[0]);
        for (int i = 0; i < texts.length; i++) {
            if (value.equals(texts[i])) {
                return i;
            }
        }
        throw new InputException(name + " is '" + value + "'; it must be one of " + String.join(", ", texts));
    }

    SamplerSettings.SecondOrder secondOrder(String name) {
        // diffusers writes the name of another solver into some files, and then takes the midpoint.
        return text(name, "midpoint").equals("heun") ? SamplerSettings.SecondOrder.HEUN
                : SamplerSettings.SecondOrder.MIDPOINT;
    }

    void refuse(String name) {
        if (flag(name)) {
            throw new InputException(name + " is true, which is not supported; use a checkpoint without it");
        }
    }

    void expect(String name, String value) {
        String found = text(name, value);
        if (!found.equals(value)) {
            throw new InputException(name + " is '" + found + "'; only '" + value + "' is supported");
        }
    }

    /** The curve that one of the three flags asks for, or null. */
    SigmaSchedule curve() {
        boolean karras = flag("use_karras_sigmas");
        boolean exponential = flag("use_exponential_sigmas");
        boolean beta = flag("use_beta_sigmas");
        if (karras && exponential || karras && beta || exponential && beta) {
            throw new InputException("use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas are " + karras
                    + ", " + exponential + " and " + beta + "; only one can be true");
        }
        return karras ? SigmaSchedule.KARRAS : exponential ? SigmaSchedule.EXPONENTIAL
                : beta ? SigmaSchedule.BETA : null;
    }

    private JsonNode checked(String name, boolean right, String type) {
        if (!right) {
            var text = json.get(name).toString();
            throw new InputException(name + " is " + text.substring(0, Math.min(text.length(), SHOWN))
                    + "; it must be " + type);
        }
        return json.get(name);
    }
}
