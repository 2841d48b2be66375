package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import jdiffusion.kernels.Precision;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.settings.FoundSettings;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.settings.SettingsReader;
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
    private static final String RESCALE = "Guidance rescale";
    /** stable-diffusion.cpp's name for the guidance that a network is told, and Forge's. */
    private static final String GUIDANCE = "Guidance";
    private static final String DISTILLED = "Distilled CFG Scale";
    private static final String QUANTIZE = "Quantize";
    /** Keys that change nothing here or are dealt with one by one. */
    private static final Set<String> UNDERSTOOD = Set.of("Version", "RNG", "Model", INIT_HASH, MASK_HASH,
            LoraRecord.HASHES, LoraRecord.INVERSIONS, ControlInput.NET, ControlInput.HASH, TaesdInput.HASH,
            TaesdInput.ENCODER_HASH);
    private static final int MOST_NAMED = 12;

    private final Path file;
    private final FoundSettings found;
    private final Set<String> unused;
    private boolean sized;

    private PictureSettings(Path file, FoundSettings found) {
        this.file = file;
        this.found = found;
        this.unused = new LinkedHashSet<>(found.more().keySet());
        unused.removeAll(UNDERSTOOD);
    }

    /** The text for the file of a request's only picture. */
    static Infotext describe(GenerationRequest r, ModelFiles files, String model, Precision precision,
                             InputPictures inputs, LoraRecord loras, ControlInput control, TaesdInput taesd,
                             RefinerOptions refiner, QuantizeOptions quantizing, MemoryOptions memory) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("Steps", Integer.toString(r.steps()));
        SamplingText.describe(r, fields);
        fields.put("CFG scale", number(r.guidance()));
        if (r.embedded().isThere()) {
            fields.put(GUIDANCE, number(r.embedded().scale()));
        }
        if (r.guidanceRescale() > 0) {
            fields.put(RESCALE, number(r.guidanceRescale()));
        }
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
        Set<Component> components = files.architecture().components();
        if (components.contains(Component.T5)) {
            fields.put("T5 length", Integer.toString(r.t5Length()));
        }
        if (!r.t5() && components.contains(Component.T5)) {
            fields.put("T5", "off");
        }
        for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
            if (components.contains(clip) && !files.has(clip)) {
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
        ConditioningOptions.describe(r, fields);
        refiner.describe(fields);
        if (quantizing.quantize != null) {
            fields.put(QUANTIZE, quantizing.quantize);
        }
        memory.describe(fields);
        loras.describe(fields);
        control.describe(r, fields);
        taesd.describe(fields);
        fields.put("Precision", Devices.label(precision));
        fields.put("RNG", "CPU");
        fields.put("Version", Version.line());
        return new Infotext(loras.prompt(), r.negativeText(), fields);
    }

    /**
     * Takes what a picture's text says into every option that the user left open.
     *
     * @param notes told of what could not be taken over
     */
    static PictureSettings read(Path file, GenerateOptions options, AdapterOptions adapters, RefinerOptions refiner,
                                QuantizeOptions quantizing, MemoryOptions memory, Consumer<String> notes) {
        PictureSettings settings = new PictureSettings(file, SettingsReader.read(file));
        settings.fill(options);
        settings.fill(adapters);
        refiner.fill(settings::take, file.toString());
        quantizing.quantize = or(quantizing.quantize, settings.take(QUANTIZE));
        memory.fill(settings.take(MemoryOptions.TILING), settings.integer(MemoryOptions.TILE_SIZE));
        settings.report(notes);
        return settings;
    }

    private void fill(GenerateOptions o) {
        o.prompt = or(o.prompt, found.prompt());
        o.negativePrompt = or(o.negativePrompt, ConditioningOptions.negative(found.negativePrompt(), this::take));
        o.conditioning.fill(this::take, this::decimal);
        o.cfgScale = or(o.cfgScale, found.guidance());
        Float distilled = decimal(DISTILLED);
        o.guidance = or(o.guidance, or(decimal(GUIDANCE), distilled));
        o.guidanceRescale = or(o.guidanceRescale, decimal(RESCALE));
        o.seed = or(o.seed, found.seed() == null ? null : Seed.text(found.seed()));
        sized = o.width == null && o.height == null && found.width() != null && found.height() != null;
        o.width = or(o.width, found.width());
        o.height = or(o.height, found.height());
        fill(o.sampling);
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
        String taesd = take(TaesdInput.NAME);
        if (taesd != null && o.taesdOnly == null) {
            if (o.taesd == null) {
                throw new InputException(file + ": was decoded by the TAESD '" + InputException.shown(taesd)
                        + "'; give it with --taesd, or say --no-taesd-only for the model's VAE");
            }
            o.taesdOnly = true;
        }
        String encoder = take(TaesdInput.ENCODER);
        if (encoder != null && o.taesdEncoder == null) {
            if (o.taesd == null) {
                throw new InputException(file + ": its init image was encoded by the TAESD '"
                        + InputException.shown(encoder) + "'; give it with --taesd, or say --no-taesd-encoder for the"
                        + " model's VAE");
            }
            o.taesdEncoder = true;
        }
        fillInit(o);
    }

    /** Levels by hand stand for steps, schedule and shift: whichever the user gives, the file's others are left. */
    private void fill(SamplingOptions o) {
        Sampler.Kind kind = found.sampler();
        Double eta = precise(kind == Sampler.Kind.DDIM ? SamplingText.ETA_DDIM : SamplingText.ETA);
        boolean ofModel = SamplingText.OF_MODEL.equals(take(SamplingText.SAMPLER_RULES));
        if (kind != null && (o.samplingMethod == null || Sampler.Kind.find(o.samplingMethod) == kind)) {
            o.ofModel = o.samplingMethod == null && ofModel;
            o.samplingMethod = kind.label();
            o.eta = or(o.eta, kind.takesEta() ? eta : null);
        }
        String sigmas = take(SamplingText.SIGMAS);
        if (o.sigmas != null) {
            return;
        }
        if (sigmas != null && o.steps == null && o.scheduler == null && o.flowShift == null) {
            o.sigmas = sigmas;
            return;
        }
        o.steps = or(o.steps, found.steps());
        o.scheduler = or(o.scheduler, found.schedule() == null ? null : found.schedule().label());
        o.flowShift = or(o.flowShift, found.shift());
    }

    private void fill(AdapterOptions o) {
        List<String> loras = new ArrayList<>();
        for (String given = take(LoraRecord.OPTION + 1); given != null;
                given = take(LoraRecord.OPTION + (loras.size() + 1))) {
            loras.add(given);
        }
        o.lora = o.lora == null && !loras.isEmpty() ? loras : o.lora;
        String inversions = found.more().get(LoraRecord.INVERSIONS);
        if (inversions != null && o.embeddingsDir == null && isOwn()) {
            throw new InputException(file + ": was drawn with the embeddings " + InputException.shown(inversions)
                    + "; say with --embeddings-dir where they are");
        }
        String kind = take(ControlInput.KIND);
        Float strength = decimal(ControlInput.STRENGTH);
        Double start = precise(ControlInput.START);
        Double end = precise(ControlInput.END);
        String net = found.more().get(ControlInput.NET);
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

    private void fillInit(GenerateOptions o) {
        if (found.hasInit() && o.initImg == null) {
            throw new InputException(file + ": was drawn from an init image; give it with -i"
                    + (found.hasMask() ? ", and its mask with --mask" : ""));
        }
        if (found.hasMask() && o.mask == null) {
            throw new InputException(file + ": was drawn with a mask; give it with --mask");
        }
        o.strength = or(o.strength, found.strength());
    }

    /** Takes the next size that the model can draw, where the size is the file's. */
    void fitSize(GenerateOptions options, int multiple, Consumer<String> notes) {
        if (!sized || isOwn()) {
            return;
        }
        options.width = nearest(found.width(), multiple);
        options.height = nearest(found.height(), multiple);
        if (!options.width.equals(found.width()) || !options.height.equals(found.height())) {
            notes.accept(file + " is " + found.width() + "x" + found.height() + "; drawing " + options.width + "x"
                    + options.height + ", the next size in multiples of " + multiple);
        }
    }

    private static int nearest(int side, int multiple) {
        long nearest = ((long) side + multiple / 2) / multiple * multiple;
        return Math.clamp(nearest, multiple, Integer.MAX_VALUE / multiple * multiple);
    }

    private boolean isOwn() {
        return found.tool() != null && found.tool().startsWith(PROGRAM);
    }

    private void report(Consumer<String> notes) {
        if (!isOwn()) {
            notes.accept(file + " was drawn by " + (found.tool() == null ? "another tool"
                    : InputException.shown(found.tool())) + "; expect a similar picture, not the same");
        } else if (!found.tool().equals(Version.line())) {
            notes.accept(file + " was drawn by " + found.tool() + "; this is " + Version.line());
        }
        found.notes().forEach(notes);
        if (!unused.isEmpty()) {
            String names = unused.stream().limit(MOST_NAMED).map(InputException::shown)
                    .collect(Collectors.joining(", "));
            notes.accept("ignored in " + file + ": " + names + (unused.size() <= MOST_NAMED ? ""
                    : " and " + (unused.size() - MOST_NAMED) + " more"));
        }
    }

    /**
     * Fails when the picture is of another model than the default one, which the user did not choose. Other tools'
     * models are hardly ever here under the same name, so those are only noted.
     */
    void checkModel(String name, boolean chosen, Consumer<String> notes) {
        String wanted = found.more().getOrDefault("Model", found.model());
        if (wanted == null || wanted.equals(name)) {
            return;
        }
        String shown = InputException.shown(wanted);
        if (!chosen && (found.tool() == null || isOwn())) {
            throw new InputException(file + ": was drawn with the model '" + shown + "'; give its folder with --model");
        }
        notes.accept(file + " was drawn with the model '" + shown + "', not '" + name + "'");
    }

    /** Notes when the init image or the mask are not those of the picture. */
    void checkInputs(InputPictures inputs, Consumer<String> notes) {
        checkHash(INIT_HASH, inputs.init() == null ? null : inputs.initHash(), "init image", notes);
        checkHash(MASK_HASH, inputs.mask() == null ? null : inputs.maskHash(), "mask", notes);
    }

    /** Notes when the LoRAs and textual inversions are not those of the picture. */
    void checkLoras(LoraRecord loras, Consumer<String> notes) {
        Map<String, String> given = new LinkedHashMap<>();
        loras.describe(given);
        checkHashes(LoraRecord.HASHES, "LoRAs", given, notes);
        checkHashes(LoraRecord.INVERSIONS, "embeddings", given, notes);
    }

    private void checkHashes(String key, String what, Map<String, String> given, Consumer<String> notes) {
        String hashes = found.more().get(key);
        if (hashes != null && !hashes.equals(given.get(key))) {
            notes.accept("these are not the " + what + " that " + file + " was drawn with: "
                    + InputException.shown(hashes));
        }
    }

    /** Notes when the ControlNet's picture is not that of this one. */
    void checkControl(ControlInput control, Consumer<String> notes) {
        checkHash(ControlInput.HASH, control.picture() == null ? null : InputPictures.hash(control.picture()),
                "ControlNet's picture", notes);
    }

    /** Notes when the picture was decoded by another TAESD. */
    void checkTaesd(TaesdInput taesd, Consumer<String> notes) {
        if (taesd.decodes()) {
            checkHash(TaesdInput.HASH, taesd.hash(), "TAESD", notes);
        }
        if (taesd.encodes()) {
            checkHash(TaesdInput.ENCODER_HASH, taesd.encoderHash(), "TAESD's encoder", notes);
        }
    }

    private void checkHash(String key, String given, String what, Consumer<String> notes) {
        String hash = found.more().get(key);
        if (hash != null && !hash.equals(given)) {
            notes.accept("this is not the " + what + " that " + file + " was drawn from");
        }
    }

    private String take(String key) {
        unused.remove(key);
        return found.more().get(key);
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
}
