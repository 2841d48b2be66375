package jdiffusion.model.flux;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.ClipStates;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.family.Texts;
import jdiffusion.model.family.Texts;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.text.ClipTextEncoder.Pooled;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * The text of FLUX.1: T5's rows, those of padding too, and CLIP-L's pooled output without its projection; with the
 * guidance scale that the denoiser embeds. An encoder that was left out gives zeros. Weights in prompts act on T5's
 * rows; CLIP-L's pooled output is that of the first chunk without them, as in ComfyUI and Forge.
 */
final class FluxConditioner implements Conditioner {
    private static final TextEncoders.Reading READING = new TextEncoders.Reading(false, true, false);
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
    public List<List<Conditioning>> encode(List<Asked> requests, Listener listener) {
        int width = denoiser.contextDim();
        requests.forEach(asked -> TextEncoders.checkT5Length(asked.request().t5Length()));
        List<ClipStates> clip = encoders.clip(Component.CLIP_L, requests.stream().map(asked ->
                Texts.clip(asked.prompts(), asked.request().methods().weights(), 0)).toList(), Pooled.PLAIN, listener);
        if (clip.getFirst() != null && clip.getFirst().pooledWidth() != denoiser.pooledDim()) {
            throw new InputException(files.origin() + ": CLIP-L is " + clip.getFirst().pooledWidth()
                    + " wide, the denoiser's input for it " + denoiser.pooledDim()
                    + "; do these components belong together?");
        }
        List<TextEncoders.Masked> t5 = encoders.t5(requests.stream().map(asked -> asked.request().t5()
                ? Texts.t5(seconds(asked), asked.request().t5Length(), asked.request().methods().weights())
                : null).toList(), READING,
                (encoder, origin) -> TextEncoders.checkT5Width(encoder, origin, width), listener);
        List<List<Conditioning>> all = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            GenerationRequest request = requests.get(i).request();
            int tokens = request.t5Length();
            float guidance = denoiser.guidance() ? request.embedded().scale() : 0;
            List<Conditioning> own = new ArrayList<>();
            for (int p = 0; p < requests.get(i).prompts().size(); p++) {
                float[] pooled = new float[denoiser.pooledDim()];
                if (clip.get(i) != null) {
                    System.arraycopy(clip.get(i).pooled(), p * pooled.length, pooled, 0, pooled.length);
                }
                int size = tokens * width;
                own.add(conditioning(t5.get(i) == null ? new float[size] : Arrays.copyOfRange(t5.get(i).hidden(),
                        p * size, (p + 1) * size), tokens, pooled, guidance));
            }
            all.add(own);
        }
        return all;
    }

    /** The prompts for T5. */
    private static List<String> seconds(Asked asked) {
        GenerationRequest request = asked.request();
        String prompt = or(request.text().prompt2(), request.prompt());
        return asked.both() ? List.of(or(request.text().negativePrompt2(), request.negativeText()), prompt)
                : List.of(prompt);
    }

    private static String or(String value, String otherwise) {
        return value == null ? otherwise : value;
    }
}
