package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import jdiffusion.kernels.Precision;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.GenerationRequest;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.InputException;

/**
 * A picture's settings between requests and the text in its file, under the names of AUTOMATIC1111's web UI and
 * stable-diffusion.cpp, and names of our own for what those lack.
 */
final class PictureSettings {
    private static final String PROGRAM = "jdiffusion";
    private static final String STRENGTH = "Denoising strength";
    private static final String INIT_HASH = "Init image hash";
    private static final String MASK_HASH = "Mask hash";
    private static final String QUANTIZE = "Quantize";
    /** Keys that change nothing here or are dealt with one by one. */
    private static final Set<String> UNDERSTOOD = Set.of("Version", "RNG", "Model", INIT_HASH, MASK_HASH,
            LoraRecord.HASHES, ControlInput.NET, ControlInput.HASH);

    private final Path file;
    private final Infotext text;
    private final Set<String> unused;

    private PictureSettings(Path file, Infotext text) {
        this.file = file;
        this.text = text;
        this.unused = new LinkedHashSet<>(text.fields().keySet());
        unused.removeAll(UNDERSTOOD);
    }

    /** The text for the file of a request's only picture. */
    static Infotext describe(GenerationRequest r, ModelFiles files, String model, Precision precision,
                             InputPictures inputs, LoraRecord loras, ControlInput control, QuantizeOptions quantizing,
                             MemoryOptions memory) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("Steps", Integer.toString(r.steps()));
        fields.put("Sampler", samplerName(r.sampler()));
        fields.put("Schedule type", scheduleName(r.schedule()));
        fields.put("CFG scale", number(r.guidance()));
        fields.put("Seed", Seed.text(r.seed()));
        fields.put("Size", r.width() + "x" + r.height());
        fields.put("Model", model);
        if (r.init() != null) {
            fields.put(STRENGTH, number(r.strength()));
            fields.put(INIT_HASH, inputs.initHash());
        }
        if (r.mask() != null) {
            fields.put(MASK_HASH, inputs.maskHash());
        }
        if (!Float.isNaN(r.shift())) {
            fields.put("Shift", number(r.shift()));
        }
        fields.put("T5 length", Integer.toString(r.t5Length()));
        if (!r.t5()) {
            fields.put("T5", "off");
        }
        for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
            if (!files.has(clip)) {
                fields.put(clip.label(), "off");
            }
        }
        SkipLayers skip = r.skipLayers();
        if (!skip.layers().isEmpty()) {
            fields.put("SLG scale", number(skip.scale()));
            fields.put("Skip layers", skip.layers().stream().map(String::valueOf).collect(Collectors.joining(", ")));
            fields.put("Skip layer start", number(skip.start()));
            fields.put("Skip layer end", number(skip.stop()));
        }
        if (quantizing.quantize != null) {
            fields.put(QUANTIZE, quantizing.quantize);
        }
        memory.describe(fields);
        loras.describe(fields);
        control.describe(r, fields);
        fields.put("Precision", Devices.label(precision));
        fields.put("RNG", "CPU");
        fields.put("Version", Version.line());
        return new Infotext(loras.prompt(), r.negativePrompt(), fields);
    }

    /**
     * Takes what a picture's text says into every option that the user left open.
     *
     * @param notes told of what could not be taken over
     */
    static PictureSettings read(Path file, GenerateOptions options, AdapterOptions adapters,
                                QuantizeOptions quantizing, MemoryOptions memory, Consumer<String> notes) {
        String text = Png.texts(file).get(Infotext.KEYWORD);
        if (text == null) {
            throw new InputException(file + ": the picture carries no settings (a PNG text named '"
                    + Infotext.KEYWORD + "')");
        }
        PictureSettings settings = new PictureSettings(file, Infotext.parse(text));
        settings.fill(options);
        settings.fill(adapters);
        quantizing.quantize = or(quantizing.quantize, settings.take(QUANTIZE));
        memory.fill(settings.take(MemoryOptions.TILING), settings.integer(MemoryOptions.TILE_SIZE));
        settings.report(notes);
        return settings;
    }

    private void fill(GenerateOptions o) {
        o.prompt = o.prompt == null ? text.prompt() : o.prompt;
        o.negativePrompt = o.negativePrompt == null ? text.negativePrompt() : o.negativePrompt;
        o.steps = or(o.steps, integer("Steps"));
        o.cfgScale = or(o.cfgScale, decimal("CFG scale"));
        o.seed = or(o.seed, take("Seed"));
        String size = take("Size");
        if (size != null) {
            if (!size.matches("\\d{1,6}x\\d{1,6}")) {
                throw wrong("Size", size, "a size like 512x512");
            }
            int x = size.indexOf('x');
            o.width = or(o.width, Integer.valueOf(size.substring(0, x)));
            o.height = or(o.height, Integer.valueOf(size.substring(x + 1)));
        }
        fillSampler(o);
        o.flowShift = or(o.flowShift, decimal("Shift"));
        boolean withoutT5 = "off".equals(take("T5"));
        if (withoutT5 && o.t5Length != null) {
            throw new InputException(file + ": was drawn without T5, which --t5-length " + o.t5Length
                    + " is for; leave the option out");
        }
        o.t5Length = or(o.t5Length, integer("T5 length"));
        o.noT5 |= withoutT5;
        o.noClipL |= "off".equals(take(Component.CLIP_L.label()));
        o.noClipG |= "off".equals(take(Component.CLIP_G.label()));
        Float slg = decimal("SLG scale");
        String layers = take("Skip layers");
        Float start = decimal("Skip layer start");
        Float end = decimal("Skip layer end");
        if (o.skipLayers == null && layers != null) {
            o.skipLayers = layers;
            o.slgScale = or(o.slgScale, slg);
            o.skipLayerStart = or(o.skipLayerStart, start);
            o.skipLayerEnd = or(o.skipLayerEnd, end);
        }
        o.precision = or(o.precision, take("Precision"));
        fillInit(o);
    }

    private void fill(AdapterOptions o) {
        List<String> loras = new ArrayList<>();
        for (String given = take(LoraRecord.OPTION + 1); given != null;
                given = take(LoraRecord.OPTION + (loras.size() + 1))) {
            loras.add(given);
        }
        o.lora = o.lora == null && !loras.isEmpty() ? loras : o.lora;
        String kind = take(ControlInput.KIND);
        Float strength = decimal(ControlInput.STRENGTH);
        Double start = precise(ControlInput.START);
        Double end = precise(ControlInput.END);
        String net = text.fields().get(ControlInput.NET);
        if (net == null || kind == null) {
            return; // none, or another tool's
        }
        if (o.controlNet == null || o.controlImage == null) {
            throw new InputException(file + ": was drawn with the ControlNet '" + InputException.shown(net)
                    + "'; give it with --control-net, and its picture with --control-image");
        }
        o.controlKind = or(o.controlKind, kind);
        o.controlStrength = or(o.controlStrength, strength);
        o.controlStart = or(o.controlStart, start);
        o.controlEnd = or(o.controlEnd, end);
    }

    /** "DPM++ 2M" and "Karras" stand apart or, from older tools, together. */
    private void fillSampler(GenerateOptions o) {
        String sampler = take("Sampler");
        String schedule = take("Schedule type");
        if (sampler != null && schedule == null) {
            int space = sampler.lastIndexOf(' ');
            String last = sampler.substring(space + 1);
            if (space > 0 && isSchedule(label(last))) {
                schedule = last;
                sampler = sampler.substring(0, space);
            }
        }
        if (o.samplingMethod == null && sampler != null) {
            o.samplingMethod = sampler;
        }
        if (o.scheduler == null && schedule != null && !schedule.equalsIgnoreCase("automatic")) {
            o.scheduler = label(schedule);
        }
    }

    private void fillInit(GenerateOptions o) {
        boolean upscaled = text.fields().keySet().stream().anyMatch(key -> key.startsWith("Hires"));
        if (upscaled) {
            return; // the strength of another tool's second pass
        }
        Double strength = precise(STRENGTH);
        if (strength != null && o.initImg == null) {
            throw new InputException(file + ": was drawn from an init image; give it with -i"
                    + (text.fields().containsKey(MASK_HASH) ? ", and its mask with --mask" : ""));
        }
        if (text.fields().containsKey(MASK_HASH) && o.mask == null) {
            throw new InputException(file + ": was drawn with a mask; give it with --mask");
        }
        o.strength = or(o.strength, strength);
    }

    private void report(Consumer<String> notes) {
        String version = text.fields().getOrDefault("Version", "another tool");
        if (!version.startsWith(PROGRAM)) {
            notes.accept(file + " was drawn by " + version + "; expect a similar picture, not the same");
        } else if (!version.equals(Version.line())) {
            notes.accept(file + " was drawn by " + version + "; this is " + Version.line());
        }
        if (!unused.isEmpty()) {
            notes.accept("ignored in " + file + ": " + String.join(", ", unused));
        }
    }

    /** Fails when the picture is of another model than the default one, which the user did not choose. */
    void checkModel(String name, boolean chosen, Consumer<String> notes) {
        String wanted = text.fields().get("Model");
        if (wanted == null || wanted.equals(name)) {
            return;
        }
        String shown = InputException.shown(wanted);
        if (!chosen) {
            throw new InputException(file + ": was drawn with the model '" + shown + "'; give its folder with --model");
        }
        notes.accept(file + " was drawn with the model '" + shown + "', not '" + name + "'");
    }

    /** Notes when the init image or the mask are not those of the picture. */
    void checkInputs(InputPictures inputs, Consumer<String> notes) {
        checkHash(INIT_HASH, inputs.init() == null ? null : inputs.initHash(), "init image", notes);
        checkHash(MASK_HASH, inputs.mask() == null ? null : inputs.maskHash(), "mask", notes);
    }

    /** Notes when the LoRAs are not those of the picture. */
    void checkLoras(LoraRecord loras, Consumer<String> notes) {
        Map<String, String> given = new LinkedHashMap<>();
        loras.describe(given);
        String hashes = text.fields().get(LoraRecord.HASHES);
        if (hashes != null && !hashes.equals(given.get(LoraRecord.HASHES))) {
            notes.accept("these are not the LoRAs that " + file + " was drawn with: " + InputException.shown(hashes));
        }
    }

    /** Notes when the ControlNet's picture is not that of this one. */
    void checkControl(ControlInput control, Consumer<String> notes) {
        checkHash(ControlInput.HASH, control.picture() == null ? null : InputPictures.hash(control.picture()),
                "ControlNet's picture", notes);
    }

    private void checkHash(String key, String given, String what, Consumer<String> notes) {
        String hash = text.fields().get(key);
        if (hash != null && !hash.equals(given)) {
            notes.accept("this is not the " + what + " that " + file + " was drawn from");
        }
    }

    private String take(String key) {
        unused.remove(key);
        return text.fields().get(key);
    }

    private Integer integer(String key) {
        String value = take(key);
        try {
            return value == null ? null : Integer.valueOf(value);
        } catch (NumberFormatException e) {
            throw wrong(key, value, "a whole number");
        }
    }

    private Double precise(String key) {
        String value = take(key);
        try {
            return value == null ? null : Double.valueOf(value);
        } catch (NumberFormatException e) {
            throw wrong(key, value, "a number");
        }
    }

    private Float decimal(String key) {
        String value = take(key);
        try {
            return value == null ? null : Float.valueOf(value);
        } catch (NumberFormatException e) {
            throw wrong(key, value, "a number");
        }
    }

    private InputException wrong(String key, String value, String wanted) {
        return new InputException(file + ": the picture's '" + key + "' is '" + InputException.shown(value)
                + "', not " + wanted);
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }

    /** 4.0 as 4, and every other number so that the same one is read back. */
    static String number(Number value) {
        String text = value.toString();
        return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
    }

    static String samplerName(Sampler.Kind kind) {
        return switch (kind) {
            case EULER -> "Euler";
            case HEUN -> "Heun";
            case DPMPP_2M -> "DPM++ 2M";
        };
    }

    private static String scheduleName(SigmaSchedule schedule) {
        return switch (schedule) {
            case SGM_UNIFORM -> "SGM Uniform";
            case NORMAL, SIMPLE, KARRAS, EXPONENTIAL, BETA ->
                    schedule.name().charAt(0) + schedule.label().substring(1);
        };
    }

    /** "SGM Uniform" to sgm_uniform; "discrete" is stable-diffusion.cpp's name for what others call normal. */
    private static String label(String name) {
        String label = name.toLowerCase(Locale.ROOT).replace(' ', '_');
        return label.equals("discrete") ? SigmaSchedule.NORMAL.label() : label;
    }

    private static boolean isSchedule(String label) {
        List<String> labels = new ArrayList<>();
        new Choices.Schedules().forEach(labels::add);
        return labels.contains(label);
    }
}
