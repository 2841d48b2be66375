package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Family;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.FoundFields;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.MemoryWish;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.PictureText;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.request.TakenSettings;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.settings.FoundSettings;
import jdiffusion.model.settings.SettingsReader;
import jdiffusion.tensor.InputException;

/** The settings in a picture's file, for the options that the user left open. */
final class PictureSettings {
    private static final int MOST_NAMED = 12;

    private final Path file;
    private final FoundSettings found;
    private final TakenSettings taken;
    private boolean sized;
    /** Whether the file's skip layers were taken. */
    private boolean skips;
    private PictureFields fields;

    private PictureSettings(Path file) {
        this.file = file;
        this.found = SettingsReader.read(file);
        this.taken = new TakenSettings(file.toString(), found);
    }

    /**
     * Takes what a picture's text says into every option that the user left open.
     *
     * @param notes told of what could not be taken over
     */
    static PictureSettings read(Path file, GenerateOptions options, AdapterOptions adapters, RefinerOptions refiner,
                                BranchOptions branching, QuantizeOptions quantizing, MemoryOptions memory,
                                Consumer<String> notes) {
        PictureSettings settings = new PictureSettings(file);
        TakenSettings taken = settings.taken;
        PictureFields fields = FoundFields.of(taken);
        settings.fields = fields;
        settings.fill(options, fields);
        settings.fill(adapters);
        refiner.fill(taken::take, file.toString());
        branching.fill(taken, file);
        quantizing.quantize = or(quantizing.quantize, taken.take(PictureText.QUANTIZE));
        memory.fill(taken.take(MemoryWish.TILING), taken.integer(MemoryWish.TILE_SIZE));
        settings.report(notes);
        fields.notes.forEach(notes);
        return settings;
    }

    private void fill(GenerateOptions o, PictureFields f) {
        o.prompt = or(o.prompt, f.prompt);
        o.negativePrompt = or(o.negativePrompt, f.negativePrompt);
        o.conditioning.fill(f);
        o.methods.fill(f);
        o.cfgScale = or(o.cfgScale, f.guidance);
        o.guidance = or(o.guidance, f.embeddedGuidance);
        o.guidanceRescale = or(o.guidanceRescale, f.guidanceRescale);
        o.seed = or(o.seed, f.seed == null ? null : Seed.text(f.seed));
        sized = o.width == null && o.height == null && f.width != null && f.height != null;
        o.width = or(o.width, f.width);
        o.height = or(o.height, f.height);
        fill(o.sampling, f);
        boolean withoutT5 = Boolean.FALSE.equals(f.t5);
        if (withoutT5 && o.t5Length != null) {
            throw new InputException(file + ": was drawn without T5, which --t5-length " + o.t5Length
                    + " is for; leave the option out");
        }
        o.t5Length = or(o.t5Length, f.t5Length);
        o.noT5 |= withoutT5;
        o.noClipL |= isOff(Component.CLIP_L);
        o.noClipG |= isOff(Component.CLIP_G);
        if (o.skipLayers == null && f.skipLayers != null) {
            skips = true;
            o.skipLayers = f.skipLayers.stream().map(String::valueOf).collect(Collectors.joining(","));
            o.slgScale = or(o.slgScale, f.skipLayersScale);
            o.skipLayerStart = or(o.skipLayerStart, f.skipLayersStart);
            o.skipLayerEnd = or(o.skipLayerEnd, f.skipLayersEnd);
        }
        o.precision = or(o.precision, taken.take(PictureText.PRECISION));
        o.masking.fill(f.inpaint);
        o.hires.fill(f.hires);
        fillTaesd(o);
        fillInit(o);
    }

    private boolean isOff(Component clip) {
        return PictureText.OFF.equals(taken.take(clip.label()));
    }

    private void fillTaesd(GenerateOptions o) {
        String taesd = taken.take(TaesdInput.NAME);
        if (taesd != null && o.taesdOnly == null) {
            if (o.taesd == null) {
                throw new InputException(file + ": was decoded by the TAESD '" + InputException.shown(taesd)
                        + "'; give it with --taesd, or say --no-taesd-only for the model's VAE");
            }
            o.taesdOnly = true;
        }
        String encoder = taken.take(TaesdInput.ENCODER);
        if (encoder != null && o.taesdEncoder == null) {
            if (o.taesd == null) {
                throw new InputException(file + ": its init image was encoded by the TAESD '"
                        + InputException.shown(encoder) + "'; give it with --taesd, or say --no-taesd-encoder for the"
                        + " model's VAE");
            }
            o.taesdEncoder = true;
        }
    }

    /** Levels by hand stand for steps, schedule and shift: whichever the user gives, the file's others are left. */
    private static void fill(SamplingOptions o, PictureFields f) {
        Sampler.Kind kind = f.sampler;
        if (kind != null && (o.samplingMethod == null || Sampler.Kind.find(o.samplingMethod) == kind)) {
            o.ofModel = o.samplingMethod == null && f.samplerOfModel;
            o.samplingMethod = kind.label();
            o.eta = or(o.eta, f.eta);
        }
        if (o.sigmas != null) {
            return;
        }
        if (f.sigmas != null && o.steps == null && o.scheduler == null && o.flowShift == null) {
            o.sigmas = f.sigmas.stream().map(PictureText::number).collect(Collectors.joining(", "));
            return;
        }
        o.steps = or(o.steps, f.steps);
        o.scheduler = or(o.scheduler, f.schedule == null ? null : f.schedule.label());
        o.flowShift = or(o.flowShift, f.shift);
    }

    private void fill(AdapterOptions o) {
        List<String> loras = new ArrayList<>();
        for (String given = taken.take(LoraRecord.OPTION + 1); given != null;
                given = taken.take(LoraRecord.OPTION + (loras.size() + 1))) {
            loras.add(given);
        }
        o.lora = o.lora == null && !loras.isEmpty() ? loras : o.lora;
        String inversions = found.more().get(LoraRecord.INVERSIONS);
        if (inversions != null && o.embeddingsDir == null && isOwn()) {
            throw new InputException(file + ": was drawn with the embeddings " + InputException.shown(inversions)
                    + "; say with --embeddings-dir where they are");
        }
        String kind = taken.take(ControlInput.KIND);
        Float strength = taken.decimal(ControlInput.STRENGTH);
        Double start = taken.precise(ControlInput.START);
        Double end = taken.precise(ControlInput.END);
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

    /** Leaves out what another program's picture was told that this family's networks are not told. */
    void fitFamily(GenerateOptions options, Family family, Consumer<String> notes) {
        if (isOwn()) {
            return;
        }
        boolean clips = family.components().contains(Component.CLIP_G);
        boolean t5 = family.components().contains(Component.T5);
        boolean two = family.components().contains(Component.CLIP_L) && !(clips && t5);
        List<String> left = options.conditioning.leaveOut(fields, clips, two, clips && !t5);
        if (skips && !(clips && t5)) {
            options.skipLayers = null;
            options.slgScale = null;
            options.skipLayerStart = null;
            options.skipLayerEnd = null;
            left.add("skip layers");
        }
        if (!left.isEmpty()) {
            notes.accept("ignored in " + file + ", since they are nothing for " + family.label() + ": "
                    + String.join(", ", left));
        }
    }

    private static int nearest(int side, int multiple) {
        long nearest = ((long) side + multiple / 2) / multiple * multiple;
        return Math.clamp(nearest, multiple, Integer.MAX_VALUE / multiple * multiple);
    }

    private boolean isOwn() {
        return FoundFields.isOwn(found);
    }

    private void report(Consumer<String> notes) {
        if (!isOwn()) {
            notes.accept(file + " was drawn by " + (found.tool() == null ? "another tool"
                    : InputException.shown(found.tool())) + "; expect a similar picture, not the same");
        } else if (!found.tool().equals(Version.line())) {
            notes.accept(file + " was drawn by " + found.tool() + "; this is " + Version.line());
        }
        found.notes().forEach(notes);
        Set<String> unused = taken.unused();
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
        String wanted = found.more().getOrDefault(PictureText.MODEL, found.model());
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
        checkHash(PictureText.INIT_HASH, inputs.init() == null ? null : inputs.initHash(), "init image", notes);
        checkHash(PictureText.MASK_HASH, inputs.mask() == null ? null : inputs.maskHash(), "mask", notes);
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

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
