package jdiffusion.model.request;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.settings.FoundSettings;
import jdiffusion.tensor.InputException;

/** Makes fields of a request out of the settings in a picture's file, whichever program wrote it. */
public final class FoundFields {
    private static final String PROGRAM = "jdiffusion";
    /** Forge's name for the guidance that a network is told. */
    private static final String DISTILLED = "Distilled CFG Scale";
    /** Names that change nothing here or that who draws deals with one by one. */
    private static final Set<String> UNDERSTOOD = Set.of("Version", PictureText.MODEL, PictureText.INIT_HASH,
            PictureText.MASK_HASH, LoraRecord.HASHES, LoraRecord.INVERSIONS, ControlInput.NET, ControlInput.HASH,
            TaesdInput.HASH, TaesdInput.ENCODER_HASH);

    private FoundFields() {
    }

    /** Whether this program wrote it. */
    public static boolean isOwn(FoundSettings found) {
        return found.tool() != null && found.tool().startsWith(PROGRAM);
    }

    /**
     * What a request would say. What is a file of the user's (model, LoRAs, ControlNet, pictures) is not in it.
     *
     * @throws InputException where a value is not what its name stands for
     */
    public static PictureFields of(TakenSettings settings) {
        settings.pass(UNDERSTOOD);
        FoundSettings found = settings.found();
        PictureFields fields = new PictureFields();
        fields.prompt = found.prompt();
        ConditioningText.read(settings, fields);
        fields.guidance = found.guidance();
        Float distilled = settings.decimal(DISTILLED);
        Float told = settings.decimal(PictureText.GUIDANCE);
        fields.embeddedGuidance = told == null ? distilled : told;
        fields.guidanceRescale = settings.decimal(PictureText.RESCALE);
        fields.seed = found.seed();
        fields.width = found.width();
        fields.height = found.height();
        fields.strength = found.strength();
        fields.t5 = PictureText.OFF.equals(settings.take(PictureText.T5)) ? Boolean.FALSE : null;
        fields.t5Length = settings.integer(PictureText.T5_LENGTH);
        sampling(settings, fields);
        skipLayers(settings, fields);
        MethodText.read(settings, fields);
        fields.inpaint.fill(settings);
        fields.hires.fill(settings, fields.notes::add);
        return fields;
    }

    private static void sampling(TakenSettings settings, PictureFields fields) {
        FoundSettings found = settings.found();
        fields.sampler = found.sampler();
        Double eta = settings.precise(found.sampler() == Sampler.Kind.DDIM ? SamplingText.ETA_DDIM : SamplingText.ETA);
        fields.eta = found.sampler() != null && found.sampler().takesEta() ? eta : null;
        fields.samplerOfModel = SamplingText.OF_MODEL.equals(settings.take(SamplingText.SAMPLER_RULES));
        fields.sigmas = numbers(settings, SamplingText.SIGMAS);
        if (fields.sigmas == null) {
            fields.steps = found.steps();
            fields.schedule = found.schedule();
            fields.shift = found.shift();
        }
    }

    private static void skipLayers(TakenSettings settings, PictureFields fields) {
        List<Float> layers = numbers(settings, PictureText.SKIP_LAYERS);
        Float scale = settings.decimal(PictureText.SLG_SCALE);
        Float start = settings.decimal(PictureText.SKIP_START);
        Float end = settings.decimal(PictureText.SKIP_END);
        if (layers != null) {
            fields.skipLayers = layers.stream().map(Float::intValue).toList();
            fields.skipLayersScale = scale;
            fields.skipLayersStart = start;
            fields.skipLayersEnd = end;
        }
    }

    /** Numbers between commas, in brackets or not; null for none. */
    private static List<Float> numbers(TakenSettings settings, String key) {
        String text = settings.take(key);
        if (text == null) {
            return null;
        }
        List<Float> numbers = new ArrayList<>();
        for (String part : text.replaceAll("[\\[\\]]", "").strip().split("\\s*,\\s*")) {
            try {
                numbers.add(Float.valueOf(part));
            } catch (NumberFormatException e) {
                throw settings.wrong(key, text, "numbers with commas between", e);
            }
        }
        return numbers;
    }
}
