package jdiffusion.model.settings;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.tensor.InputException;

/** Settings while a reader collects them. Every value may be null, for one that the file does not have. */
final class Finding {
    /** Names of what a second text encoder reads. */
    static final String PROMPT_2 = "Prompt 2";
    static final String NEGATIVE_2 = "Negative prompt 2";
    private static final BigInteger SEEDS = BigInteger.ONE.shiftLeft(Long.SIZE);
    private static final int LONGEST_NUMBER = 64;

    private final Path file;
    private final String tool;
    private String prompt = "";
    private String negativePrompt = "";
    private Integer steps;
    private Float guidance;
    private Long seed;
    private Integer width;
    private Integer height;
    private Sampler.Kind sampler;
    private SigmaSchedule schedule;
    private Float shift;
    private String model;
    private Double strength;
    private boolean hasInit;
    private boolean hasMask;
    private PromptWeights weights = PromptWeights.NONE;
    private final Map<String, String> more = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();
    private final StringBuilder loras = new StringBuilder();

    /** @param tool null when it is not known */
    Finding(Path file, String tool) {
        this.file = file;
        this.tool = tool;
    }

    void prompt(String value) {
        prompt = value == null ? "" : value;
    }

    void negativePrompt(String value) {
        negativePrompt = value == null ? "" : value;
    }

    void steps(String value) {
        steps = whole("Steps", value);
    }

    void guidance(String value) {
        guidance = value == null ? null : Float.valueOf(number("CFG scale", value));
    }

    /** Whole numbers from 0 on; what is below 0 stands for a random one. */
    void seed(String value) {
        if (value == null) {
            return;
        }
        BigInteger number;
        try {
            number = exact(value).toBigIntegerExact();
        } catch (ArithmeticException | NumberFormatException _) {
            throw wrong("Seed", value, "a whole number");
        }
        if (number.signum() < 0) {
            note("the seed of " + file + " is " + value + ", which means a random one; the default is used");
        } else if (number.compareTo(SEEDS) >= 0) {
            throw wrong("Seed", value, "below 2^64");
        } else {
            seed = number.longValue();
        }
    }

    void size(String newWidth, String newHeight) {
        width = side("Width", newWidth);
        height = side("Height", newHeight);
    }

    /** Both sides with an x between. */
    void size(String text) {
        if (!text.matches("\\d{1,6}x\\d{1,6}")) {
            throw wrong("Size", text, "a size like 512x512");
        }
        int x = text.indexOf('x');
        size(text.substring(0, x), text.substring(x + 1));
    }

    /** The name may have a schedule's behind it. */
    void sampler(String name) {
        if (name == null || name.isBlank()) {
            return;
        }
        Names names = Names.of(name);
        sampler = names.sampler();
        if (sampler == null) {
            note("the sampler '" + InputException.shown(name) + "' of " + file + " is not here; the default is used");
        }
        if (schedule == null) {
            schedule(names.schedule());
        }
    }

    void schedule(String name) {
        if (name == null || Names.isOpen(name)) {
            return;
        }
        schedule = Names.schedule(name);
        if (schedule == null) {
            note("the schedule '" + InputException.shown(name) + "' of " + file + " is not here; the default is used");
        }
    }

    void shift(String value) {
        shift = value == null ? shift : Float.valueOf(number("Shift", value));
    }

    /** Folders and the ending are left out. */
    void model(String name) {
        if (name != null && !name.isBlank()) {
            String file = name.substring(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
            model = file.replaceAll("\\.(safetensors|sft|ckpt|gguf|pt|pth|bin)$", "");
        }
    }

    /** Started from a picture; the strength may be null. */
    void init(String value) {
        hasInit = true;
        strength = value == null ? null : Double.valueOf(number("Denoising strength", value));
    }

    void mask() {
        hasMask = true;
    }

    /** What a second text encoder reads; none for a blank text. */
    void secondPrompts(String positive, String negative) {
        more(PROMPT_2, positive == null || positive.isBlank() ? null : positive);
        more(NEGATIVE_2, negative == null || negative.isBlank() ? null : negative);
    }

    /** How the program reads brackets and long prompts. */
    void weights(PromptWeights kind) {
        weights = kind;
    }

    /** Notes what the program reads in a prompt that is text here. */
    void noteText(Pattern form, String what) {
        if (form.matcher(prompt + "\n" + negativePrompt).find()) {
            note("the prompt of " + file + " " + what + ", which is not done here; it is read as text");
        }
    }

    /** What a distilled network is told. */
    void embedded(String value) {
        if (value != null) {
            more("Guidance", number("Guidance", value));
        }
    }

    void lora(String name, String weight) {
        lora(name, weight, null);
    }

    /**
     * Names the LoRA in the prompt; one of weight 0 does nothing.
     *
     * @param textWeight for the text encoders; null for the same
     */
    void lora(String name, String weight, String textWeight) {
        if (name == null || name.isBlank() || name.equalsIgnoreCase("none")) {
            return;
        }
        String factor = weight == null ? "1" : number("LoRA weight", weight);
        String text = textWeight == null ? factor : number("LoRA weight", textWeight);
        boolean same = Double.parseDouble(factor) == Double.parseDouble(text);
        if (!same || Double.parseDouble(factor) != 0) {
            String plain = name.replaceAll("\\.safetensors$", "").replace('\\', '/');
            loras.append(" <lora:").append(plain.replaceAll("[<>:]", "_")).append(':')
                    .append(same ? factor : text + ":" + factor).append('>');
        }
    }

    /** Does nothing for a value that is null. */
    void more(String key, String value) {
        if (value != null) {
            more.putIfAbsent(key, value);
        }
    }

    void note(String note) {
        if (!notes.contains(note)) {
            notes.add(note);
        }
    }

    FoundSettings done() {
        if (weights != PromptWeights.NONE && Stream.of(prompt, negativePrompt, more.get(PROMPT_2), more.get(NEGATIVE_2))
                .anyMatch(PromptWeights::actOn)) {
            more("Prompt weights", weights.label());
        }
        return new FoundSettings(tool, prompt + loras, negativePrompt, steps, guidance, seed, width, height, sampler,
                schedule, shift, model, strength, hasInit, hasMask, more, List.copyOf(notes));
    }

    private Integer side(String key, String value) {
        Integer side = whole(key, value);
        if (side != null && side < 1) {
            throw wrong(key, value, "1 or more");
        }
        return side;
    }

    private Integer whole(String key, String value) {
        try {
            return value == null ? null : Integer.valueOf(exact(value).intValueExact());
        } catch (ArithmeticException | NumberFormatException _) {
            throw wrong(key, value, "a whole number");
        }
    }

    /** The same text, known to be a number. */
    private String number(String key, String value) {
        try {
            Double.parseDouble(value);
            return value;
        } catch (NumberFormatException _) {
            throw wrong(key, value, "a number");
        }
    }

    /** Without the long computation that 1e999999999 would take. */
    private static BigDecimal exact(String value) {
        BigDecimal number = new BigDecimal(value.length() > LONGEST_NUMBER ? "" : value.strip());
        if (Math.abs((long) number.scale()) > LONGEST_NUMBER) {
            throw new NumberFormatException();
        }
        return number;
    }

    private InputException wrong(String key, String value, String wanted) {
        return new InputException(file + ": the picture's '" + key + "' is '" + InputException.shown(value)
                + "', not " + wanted);
    }
}
