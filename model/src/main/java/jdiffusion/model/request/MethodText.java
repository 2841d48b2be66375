package jdiffusion.model.request;

import java.util.LinkedHashMap;
import java.util.Map;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.family.Compat;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.sampling.NoiseSource;
import jdiffusion.model.settings.Infotext;
import jdiffusion.tensor.InputException;

/** The methods of experiments in requests and in pictures' texts. */
public final class MethodText {
    private static final String GUIDERS = "Guiders";
    private static final String CACHE = "Cache";
    private static final String WEIGHTS = "Prompt weights";
    private static final String COMPAT = "Compat";
    private static final String SEEDS = "Seeds";
    private static final String ONE_DRAW = "one draw";
    private static final String BATCH_SIZE = "Batch size";
    private static final String BATCH_PLACE = "Batch pos";
    static final String RNG = "RNG";
    /** A1111's name for it. */
    private static final String PHILOX = "NV";
    /** stable-diffusion.cpp's. */
    private static final String CUDA = "cuda";

    private MethodText() {
    }

    /** Into a picture's text, where it is not the default. */
    static void describe(GenerationRequest r, Map<String, String> fields) {
        Methods methods = r.methods();
        if (!methods.guiders().all().isEmpty()) {
            fields.put(GUIDERS, methods.guiders().text());
        }
        if (methods.cache() != null) {
            fields.put(CACHE, methods.cache().text());
        }
        if (methods.weights() != PromptWeights.NONE) {
            fields.put(WEIGHTS, methods.weights().label());
        }
        if (methods.compat() != null) {
            fields.put(COMPAT, methods.compat().label());
        }
        if (r.seeds() == GenerationRequest.Seeds.ONE_DRAW) {
            fields.put(SEEDS, ONE_DRAW);
        }
    }

    /** Out of a picture's text. */
    static void read(TakenSettings settings, PictureFields fields) {
        fields.guiders = settings.take(GUIDERS);
        fields.cache = settings.take(CACHE);
        fields.weights = settings.take(WEIGHTS);
        fields.compat = settings.take(COMPAT);
        String rng = settings.take(RNG);
        fields.noise = PHILOX.equals(rng) || CUDA.equals(rng) ? NoiseSource.PHILOX.label() : null;
        if (rng != null && fields.noise == null && !rng.equalsIgnoreCase("cpu")) {
            fields.notes.add("the noise source '" + InputException.shown(rng) + "' of " + settings.file()
                    + " is not here; that of PyTorch's CPUs is taken");
        }
        if (ONE_DRAW.equals(settings.take(SEEDS))) {
            fields.oneDraw = true;
            fields.batch = settings.integer(BATCH_SIZE);
            settings.take(BATCH_PLACE);
        }
    }

    /**
     * What fields ask for, over what is usual.
     *
     * @param prefix of the names in messages, such as {@code --}
     */
    public static Methods methods(PictureFields asked, Methods usual, String prefix) {
        Methods methods = usual;
        if (asked.guiders != null) {
            methods = methods.withGuiders(Guiders.of(prefix + "guiders", asked.guiders));
        }
        if (asked.cache != null) {
            methods = methods.withCache(StepCache.of(prefix + "cache", asked.cache), false);
        }
        if (asked.noise != null) {
            methods = methods.withNoise(NoiseSource.of(prefix + "noise", asked.noise));
        }
        if (asked.weights != null) {
            methods = methods.withWeights(PromptWeights.of(prefix + "weights", asked.weights));
        }
        return methods;
    }

    /** A model's defaults, or those of the program that a request is to be like. */
    public static GenerationRequest defaults(PictureFields asked, GenerationRequest usual, Family family,
                                             String prefix) {
        return asked.compat == null ? usual : Compat.of(prefix + "compat", asked.compat).over(usual, family);
    }

    /** What a picture's text says of its random numbers. */
    static String rng(Methods methods) {
        return methods.noise() == NoiseSource.PHILOX ? PHILOX : "CPU";
    }

    /** The text of a picture that is one of several of one draw. */
    public static Infotext placed(Infotext text, int place, int batch) {
        Map<String, String> fields = new LinkedHashMap<>(text.fields());
        fields.put(BATCH_SIZE, Integer.toString(batch));
        fields.put(BATCH_PLACE, Integer.toString(place));
        return new Infotext(text.prompt(), text.negativePrompt(), fields);
    }

    /** All that differs from a plain request, for a line of settings; each part begins with a comma. */
    public static String inWords(Methods methods) {
        return (methods.guiders().all().isEmpty() ? "" : ", guiders " + methods.guiders().text())
                + (methods.cache() == null ? "" : ", cache " + methods.cache().text())
                + (methods.noise() == NoiseSource.CPU ? "" : ", noise " + methods.noise().label())
                + (methods.weights() == PromptWeights.NONE ? "" : ", weights " + methods.weights().label())
                + (methods.compat() == null ? "" : ", as " + methods.compat().label());
    }
}
