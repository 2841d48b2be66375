package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Bilinear;
import jdiffusion.model.image.Picture;
import jdiffusion.model.stage.Stages;

/**
 * The pass at a larger size: image to image from what the first one drew, with the same seeds, so that by Lanczos it
 * gives what the first picture gives when it is enlarged and drawn over by a request of its own.
 */
record SecondPass(ModelInfo model, Stages stages, TaesdUse taesd) {
    /**
     * What is drawn in it. The picture to start from is blank: there is one for each picture, and none is a part of the
     * request.
     */
    static GenerationRequest request(GenerationRequest all) {
        Hires hires = all.hires();
        Picture blank = new Picture(hires.width(), hires.height(),
                new byte[Math.multiplyExact(3, Math.multiplyExact(hires.width(), hires.height()))]);
        GenerationRequest.Builder builder = all.toBuilder().hires(null).size(hires.width(), hires.height())
                .resolutionBinning(false).init(blank, hires.strength());
        if (hires.steps() > 0) {
            builder.steps(hires.steps());
        }
        if (all.control() != null) {
            builder.control(all.control().with(all.control().picture().resized(hires.width(), hires.height())));
        }
        return builder.build();
    }

    /** The pass whose latents are decoded at the end. */
    static GenerationRequest last(GenerationRequest request) {
        return request.hires() == null ? request : request(request);
    }

    /** The conditionings of both passes; of the first alone where they do not depend on the size. */
    static List<Conditioning> encode(TextStage stage, GenerationRequest drawn, GenerationRequest all,
                                     Progress progress) {
        List<Conditioning> prompts = stage.run(drawn, progress);
        List<Conditioning> both = new ArrayList<>(prompts);
        both.addAll(stage.conditioner().readsSize() ? stage.run(request(all), progress) : prompts);
        return both;
    }

    /**
     * Both passes.
     *
     * @param prompts of the first, then of the second
     * @return clean latents of the second
     */
    float[] run(GenerationRequest request, List<Conditioning> prompts, Progress progress) {
        int half = prompts.size() / 2;
        GenerationRequest first = request.firstPass();
        GenerationRequest drawn = SizeFit.of(model, first).drawn(first);
        DenoiseStage stage = new DenoiseStage(model, stages, taesd);
        float[] latents = stage.run(drawn, prompts.subList(0, half), progress);
        GenerationRequest second = request(request);
        List<Noise.Moments> starts = new ArrayList<>();
        for (Noise.Encoded start : request.hires().upscaler() == Hires.Upscaler.LATENT
                ? enlarged(latents, drawn, second) : redone(latents, first, second, progress)) {
            starts.add(new Noise.Moments(start, null, false));
        }
        return stage.runFrom(starts, second, prompts.subList(half, prompts.size()), progress);
    }

    private List<Noise.Encoded> enlarged(float[] latents, GenerationRequest drawn, GenerationRequest second) {
        LatentSpace space = model.latents();
        int factor = space.factor();
        Bilinear bilinear = Bilinear.cover(drawn.width() / factor, drawn.height() / factor, second.width() / factor,
                second.height() / factor);
        int size = space.size(drawn.height(), drawn.width());
        List<Noise.Encoded> all = new ArrayList<>();
        for (int i = 0; i < drawn.images(); i++) {
            all.add(new Noise.Encoded(bilinear.of(Arrays.copyOfRange(latents, i * size, (i + 1) * size),
                    space.channels()), false));
        }
        return all;
    }

    private List<Noise.Encoded> redone(float[] latents, GenerationRequest first, GenerationRequest second,
                                       Progress progress) {
        ImageCoder coder = new ImageCoder(stages, model.latents(), taesd);
        SizeFit fit = SizeFit.of(model, first);
        float[] values = fit.fitted(coder.decode(fit.drawn(first), latents, progress), first.images());
        List<Noise.Encoded> all = new ArrayList<>();
        for (int i = 0; i < first.images(); i++) {
            Picture picture = Picture.ofModel(values, i, first.width(), first.height());
            all.add(coder.encode(second, picture.fitted(second.width(), second.height()).toModel(), progress));
        }
        return all;
    }
}
