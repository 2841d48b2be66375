package jdiffusion.model.flux;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.text.ClipTextEncoder.Pooled;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * The text of FLUX.1: T5's rows, those of padding too, and CLIP-L's pooled output without its projection; with the
 * guidance scale that the denoiser embeds. An encoder that was left out gives zeros.
 */
final class FluxConditioner implements Conditioner {
    private static final List<Component> ENCODERS = List.of(Component.CLIP_L, Component.T5);

    private final ModelFiles files;
    private final TextEncoders encoders;
    private final FluxConfig denoiser;

    FluxConditioner(Stages stages, FluxConfig denoiser) {
        this.files = stages.files();
        this.encoders = new TextEncoders(stages);
        this.denoiser = denoiser;
    }

    static Conditioning blank(FluxConfig denoiser, int tokens) {
        return conditioning(new float[Math.multiplyExact(tokens, denoiser.contextDim())], tokens,
                new float[denoiser.pooledDim()], 0);
    }

    private static Conditioning conditioning(float[] context, int tokens, float[] pooled, float guidance) {
        return new Conditioning(Map.of(Conditioning.CONTEXT, Tensor.of(context, tokens, context.length / tokens),
                Conditioning.POOLED, Tensor.of(pooled, pooled.length),
                FluxTransformer.GUIDANCE, Tensor.of(new float[] {guidance}, 1)));
    }

    @Override
    public void check(GenerationRequest request, boolean run) {
        TextEncoders.checkT5Length(request.t5Length());
        if (!request.micro().equals(MicroConditioning.DEFAULT)) {
            throw new InputException("sizes, crops and aesthetic scores are SDXL's; FLUX.1 is not told of them, so"
                    + " leave these options out");
        }
        if (request.text().clipSkip() != 0) {
            throw new InputException("a clip skip is asked for, but FLUX.1 reads CLIP's last state alone; leave"
                    + " --clip-skip out");
        }
        if (!run) {
            return;
        }
        List<Component> read = ENCODERS.stream().filter(encoder -> encoder != Component.T5 || request.t5()).toList();
        for (Component encoder : read) {
            if (files.missing(encoder) != null) {
                throw new InputException(files.missing(encoder));
            }
        }
        read.forEach(encoders::checkTokenizer);
        if (read.stream().noneMatch(files::has)) {
            throw new InputException(files.origin() + ": without CLIP-L and T5 nothing reads the prompt; keep one of"
                    + " them");
        }
        if (request.t5()) {
            if (!files.has(Component.T5)) {
                throw new InputException(files.origin() + ": this model has no T5; leave it out with --no-t5");
            }
            encoders.checkT5(denoiser.contextDim());
        }
    }

    @Override
    public void hold(GenerationRequest request) {
        encoders.hold(Component.CLIP_L);
        if (request.t5()) {
            encoders.hold(Component.T5);
        }
    }

    @Override
    public List<Conditioning> encode(GenerationRequest request, boolean both, Listener listener) {
        int tokens = request.t5Length();
        int width = denoiser.contextDim();
        TextEncoders.checkT5Length(tokens);
        List<String> prompts = both ? List.of(request.negativeText(), request.prompt()) : List.of(request.prompt());
        List<String> seconds = both ? List.of(or(request.text().negativePrompt2(), request.negativeText()),
                or(request.text().prompt2(), request.prompt())) : List.of(or(request.text().prompt2(),
                request.prompt()));
        TextEncoders.Clip clip = encoders.clip(Component.CLIP_L, prompts, PromptWeights.NONE, new int[prompts.size()], Pooled.PLAIN,
                listener);
        if (clip != null && clip.pooledWidth() != denoiser.pooledDim()) {
            throw new InputException(files.origin() + ": CLIP-L is " + clip.pooledWidth() + " wide, the denoiser's"
                    + " input for it " + denoiser.pooledDim() + "; do these components belong together?");
        }
        float[] t5 = !request.t5() ? new float[prompts.size() * tokens * width] : encoders.t5(seconds, tokens,
                (encoder, origin) -> TextEncoders.checkT5Width(encoder, origin, width), listener);
        float guidance = denoiser.guidance() ? request.embedded().scale() : 0;
        List<Conditioning> out = new ArrayList<>();
        for (int p = 0; p < prompts.size(); p++) {
            float[] pooled = new float[denoiser.pooledDim()];
            if (clip != null) {
                System.arraycopy(clip.pooled(), p * pooled.length, pooled, 0, pooled.length);
            }
            out.add(conditioning(Arrays.copyOfRange(t5, p * tokens * width, (p + 1) * tokens * width), tokens, pooled,
                    guidance));
        }
        return out;
    }

    private static String or(String value, String otherwise) {
        return value == null ? otherwise : value;
    }
}
