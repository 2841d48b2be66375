package jdiffusion.cli;

import jdiffusion.model.family.Compat;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Methods;
import jdiffusion.model.request.MethodText;
import jdiffusion.model.request.PictureFields;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** The methods of experiments; null where the user says nothing. */
final class MethodOptions {
    private static final String CONSECUTIVE = "consecutive";
    private static final String ONE_DRAW = "one-draw";

    @Option(names = "--guiders", paramLabel = "NAME(...),...",
            description = "Variants of guidance: interval, cfg-zero, apg, tcfg, fdg, mag, pag, seg, auto, rescale; such"
                + " as apg(eta=0.5),interval(0.1,0.8).")
    String guiders;

    @Option(names = "--cache", paramLabel = "NAME(...)",
            description = "Save evaluations of the network: taylor(4) makes every fourth and continues the others,"
                + " first-block(0.1) skips all but the first block while that changes by less than a tenth.")
    String cache;

    @Option(names = "--cache-report",
            description = "Say how far off each saved evaluation and the picture are, and what time was saved; draws"
                + " each picture again, without the cache and with it.")
    boolean cacheReport;

    @Option(names = "--noise", paramLabel = "NAME",
            description = "Where a seed's noise comes from: cpu (PyTorch's generator for CPUs), philox (that for GPUs,"
                + " as A1111's NV and stable-diffusion.cpp have it). Default: cpu.")
    String noise;

    @Option(names = "--weights", paramLabel = "NAME",
            description = "Read brackets in prompts as weights, and long prompts in chunks: a1111 or comfyui. Default:"
                + " none, brackets are text.")
    String weights;

    @Option(names = "--batch-seeds", paramLabel = "NAME",
            description = "Noise of a batch's pictures: consecutive (seeds counting up), one-draw (one draw for all, as"
                + " diffusers and ComfyUI). Default: consecutive.")
    String batchSeeds;

    @Option(names = "--compat", paramLabel = "NAME",
            description = "Usual settings of diffusers, comfyui, sdcpp or reference, so that a seed means the same;"
                + " other options change them.")
    String compat;

    /** Pictures of the batch that a repeated picture is of; null where it was drawn by itself. */
    Integer batch;

    /** Fails when one of them is none, or two exclude each other. */
    void check() {
        if (cache != null || !cacheReport) {
            methods(Methods.NONE);
        }
        if (compat != null) {
            Compat.of("--compat", compat);
        }
        if (batchSeeds != null) {
            isOneDraw(batchSeeds);
        }
    }

    void applyTo(GenerationRequest defaults, GenerationRequest.Builder request) {
        request.methods(methods(defaults.methods()));
        if (batchSeeds != null) {
            request.seeds(isOneDraw(batchSeeds) ? GenerationRequest.Seeds.ONE_DRAW
                    : GenerationRequest.Seeds.CONSECUTIVE);
        }
    }

    /** Whether a batch's pictures are of one draw of noise. */
    boolean isOneDraw() {
        return batchSeeds != null ? isOneDraw(batchSeeds)
                : compat != null && Compat.of("--compat", compat).seeds() == GenerationRequest.Seeds.ONE_DRAW;
    }

    private static boolean isOneDraw(String name) {
        if (!name.equals(ONE_DRAW) && !name.equals(CONSECUTIVE)) {
            throw new InputException("--batch-seeds is '" + InputException.shown(name) + "'; use " + CONSECUTIVE
                    + " or " + ONE_DRAW);
        }
        return name.equals(ONE_DRAW);
    }

    /** The model's defaults, or those of the program that is named. */
    GenerationRequest defaults(GenerationRequest usual, Family family) {
        return MethodText.defaults(fields(), usual, family, "--");
    }

    /** The whole request. */
    GenerationRequest settled(GenerationRequest request, Family family) {
        return request.methods().compat() == null ? request : request.methods().compat().settled(request, family);
    }

    private PictureFields fields() {
        PictureFields fields = new PictureFields();
        fields.guiders = guiders;
        fields.cache = cache;
        fields.noise = noise;
        fields.weights = weights;
        fields.compat = compat;
        return fields;
    }

    private Methods methods(Methods usual) {
        Methods methods = MethodText.methods(fields(), usual, "--");
        return methods.withCache(methods.cache(), cacheReport);
    }

    /** Out of a picture's text, where the user says nothing. */
    void fill(PictureFields found) {
        guiders = guiders == null ? found.guiders : guiders;
        cache = cache == null ? found.cache : cache;
        noise = noise == null ? found.noise : noise;
        weights = weights == null ? found.weights : weights;
        compat = compat == null ? found.compat : compat;
        if (Boolean.TRUE.equals(found.oneDraw) && batchSeeds == null) {
            batchSeeds = ONE_DRAW;
            batch = found.batch;
        }
    }
}
