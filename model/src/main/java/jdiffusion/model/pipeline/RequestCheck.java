package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.family.BranchPoint;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.family.PromptTokens;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.guidance.Formula;
import jdiffusion.model.guidance.Push;
import jdiffusion.tensor.InputException;

/** Fails, before anything is computed, when a model cannot do what is asked. */
record RequestCheck(ModelInfo model, Conditioner conditioner) {
    /** Numbers of one run's pictures: they are handed over in one array. */
    private static final int MOST_VALUES = Integer.MAX_VALUE - 8;

    /** @param text whether the text encoders will run */
    void check(GenerationRequest request, boolean text) {
        checkSize(request);
        checkLayers(request);
        request.methods().guiders().pushes().forEach(this::checkPush);
        checkCache(request);
        checkBranch(request);
        if (request.control() != null && model.control() == null) {
            throw new InputException("a ControlNet's picture is given, but no ControlNet; give one with --control-net");
        }
        if (model.readsMasked() && request.mask() == null) {
            throw new InputException("this is an inpainting model: it reads a picture and a mask of what to draw in it;"
                    + " give --init-img and --mask");
        }
        conditioner.check(request, false);
        model.walk(request);
        if (request.hires() != null) {
            model.walk(SecondPass.request(request));
        }
        if (text) {
            conditioner.check(request, true);
            PromptTokens.check(model.files(), request.texts());
        }
    }

    void checkSize(GenerationRequest request) {
        if (request.hires() != null) {
            checkSize(request.firstPass());
            checkSecond(request.hires());
            checkSize(SecondPass.request(request));
            return;
        }
        sizes(request).check(request.width(), request.height());
        PixelSize drawn = SizeFit.of(model, request).drawn();
        sizes(model.patch()).check(drawn.width(), drawn.height());
        long values = 3L * Math.max((long) request.width() * request.height(), (long) drawn.width() * drawn.height());
        if (request.images() > MOST_VALUES / values) {
            throw new InputException(request.images() + " pictures of " + request.width() + "x" + request.height()
                    + " are more than one run can hold; at most " + MOST_VALUES / values + " of this size");
        }
    }

    private void checkSecond(Hires hires) {
        try {
            sizes(model.patch()).check(hires.width(), hires.height());
        } catch (InputException e) {
            throw new InputException("the second pass is to be " + hires.width() + "x" + hires.height() + ": "
                    + e.getMessage(), e);
        }
    }

    /** What is no fault, but should be known before the time is spent. */
    List<String> notes(GenerationRequest request) {
        List<String> notes = new ArrayList<>(model.family().notes(model.variant(), model.scheduler(), request));
        if (request.methods().compat() != null) {
            notes.addAll(request.methods().compat().notes(request, model.family()));
        }
        boolean needsNone = !model.defaults().embedded().needsNegative() && !model.defaults().guided();
        if (request.embedded().isThere() && !model.defaults().embedded().isThere()) {
            notes.add(model.variant().label() + " embeds no guidance, so a guidance of " + request.embedded().scale()
                    + " has no effect; --cfg-scale is for guidance by two passes");
        }
        if (request.guided() && needsNone) {
            notes.add(model.variant().label() + " was trained to need no guidance; with a cfg scale of "
                    + request.guidance() + " each step takes twice as long, and pictures are usually worse");
        }
        return notes;
    }

    private void checkLayers(GenerationRequest request) {
        int layers = model.denoiser().layers();
        List<Integer> all = new ArrayList<>(request.skipLayers().layers());
        all.addAll(request.methods().guiders().leftOut());
        for (int layer : all) {
            if (layers == 0) {
                throw new InputException("layer " + layer + " cannot be skipped; " + model.family().label()
                        + " has no layers for skip-layer guidance and AutoGuidance, which are there for SD3");
            }
            if (layer < 0 || layer >= layers) {
                throw new InputException("layer " + layer + " cannot be skipped; this model has layers 0 to "
                        + (layers - 1));
            }
        }
    }

    private void checkCache(GenerationRequest request) {
        StepCache cache = request.methods().cache();
        if (cache instanceof StepCache.FirstBlock && !model.denoiser().reusesBlocks()) {
            throw new InputException("the cache " + cache.text() + " needs a network that is a row of blocks, which "
                    + model.family().label() + "'s UNet is not; use taylor(4)");
        }
        if (cache instanceof StepCache.Taylor && model.sigmas(request).evaluations() > request.steps()) {
            throw new InputException("the cache " + cache.text() + " continues outputs from step to step, but "
                    + request.sampler().kind().label() + " asks the network twice in a step; use another sampler, or"
                    + " first-block(0.1)");
        }
    }

    private void checkBranch(GenerationRequest request) {
        BranchPoint branch = request.methods().branch();
        if (branch == null) {
            return;
        }
        if (request.images() > 1 && request.seeds() == GenerationRequest.Seeds.CONSECUTIVE) {
            throw new InputException("a saved run is one draw, and " + request.images() + " pictures with seeds of their"
                    + " own cannot branch from it; ask for one");
        }
        if (request.hires() != null) {
            throw new InputException("a second pass and a branch from a saved run are asked for; leave one of them out");
        }
        Formula formula = request.guided() ? request.methods().guiders().formula() : null;
        if (request.methods().cache() != null || formula != null && formula.remembers()) {
            throw new InputException((request.methods().cache() != null ? "the cache " + request.methods().cache().text()
                    : "the guider " + formula.text()) + " goes on from earlier evaluations, which a branch from a saved"
                    + " run does not make; leave one of them out");
        }
        Walk walk = model.walk(request);
        branch.check(request.sampler(), walk.sigmas(), walk.first());
    }

    private void checkPush(Push push) {
        int layers = model.denoiser().attentions();
        if (layers == 0) {
            throw new InputException("the guider " + push.text() + " cannot be used with " + model.family().label()
                    + ", which has no attention that it could change");
        }
        if (push.layers().isEmpty() && model.denoiser().usualAttentions().isEmpty()) {
            throw new InputException("the guider " + push.label() + " needs layers with " + model.family().label()
                    + ", for which nobody has published any: " + push.label() + "(layers=N-N), of 0 to "
                    + (layers - 1));
        }
        for (int layer : push.layers()) {
            if (layer >= layers) {
                throw new InputException("the guider " + push.text() + " changes the attention of layer " + layer
                        + "; this model has layers 0 to " + (layers - 1));
            }
        }
    }

    /** Which sizes can be asked of the model in such a request: any, where it draws another one that it knows. */
    ImageSize sizes(GenerationRequest request) {
        return sizes(SizeFit.isBinned(model, request) ? 1 : model.patch());
    }

    private ImageSize sizes(int multiple) {
        DenoiserConfig denoiser = model.denoiser();
        return new ImageSize(multiple, denoiser.positions() == 0 ? Integer.MAX_VALUE - model.patch()
                : denoiser.positions() * model.patch(), model.family().roundsSizes());
    }
}
