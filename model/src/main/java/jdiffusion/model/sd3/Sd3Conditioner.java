package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.ClipStates;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
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
 * The text of SD3: CLIP-L and CLIP-G side by side, zeros up to T5's width, and T5's rows below; CLIP-L's pooled output,
 * then CLIP-G's. A CLIP encoder that was left out gives zeros; without either, the context is T5's rows alone (the rule
 * of ComfyUI's SD3ClipModel). Without T5 its rows are zero (the rule of diffusers).
 */
final class Sd3Conditioner implements Conditioner {
    static final int T5_USUAL = 256;
    private static final TextEncoders.Reading READING = new TextEncoders.Reading(false, false, false);

    private final Stages stages;
    private final ModelFiles files;
    private final TextEncoders encoders;
    private final DenoiserConfig denoiser;

    Sd3Conditioner(Stages stages, DenoiserConfig denoiser) {
        this.stages = stages;
        this.files = stages.files();
        this.encoders = new TextEncoders(stages);
        this.denoiser = denoiser;
    }

    static Conditioning blank(DenoiserConfig denoiser, int t5Length) {
        int tokens = TextEncoders.CLIP_LENGTH + t5Length;
        int width = denoiser.contextDim();
        return Conditioning.of(Tensor.of(new float[Math.multiplyExact(tokens, width)], tokens, width),
                Tensor.of(new float[denoiser.pooledDim()], denoiser.pooledDim()));
    }

    @Override
    public void check(GenerationRequest request, boolean run) {
        TextEncoders.checkT5Length(request.t5Length());
        if (request.text().prompt2() != null || request.text().negativePrompt2() != null
                || !request.micro().equals(MicroConditioning.DEFAULT)) {
            throw new InputException("second prompts, sizes, crops and aesthetic scores are SDXL's; SD3 reads one"
                    + " prompt with all its encoders, so leave these options out");
        }
        if (!run) {
            return;
        }
        boolean t5 = request.t5();
        for (Component encoder : Component.ENCODERS) {
            if ((encoder != Component.T5 || t5) && files.missing(encoder) != null) {
                throw new InputException(files.missing(encoder));
            }
        }
        for (Component encoder : Component.ENCODERS) {
            if (encoder != Component.T5 || t5) {
                encoders.checkTokenizer(encoder);
            }
            if (encoder != Component.T5) {
                encoders.checkClipSkip(encoder, request.text().clipSkip());
            }
        }
        if (t5 && !files.has(Component.T5)) {
            throw new InputException(files.origin() + ": this model has no T5; leave it out with --no-t5");
        }
        if (!t5 && !files.has(Component.CLIP_L) && !files.has(Component.CLIP_G)) {
            throw new InputException(files.origin() + ": without CLIP-L, CLIP-G and T5 nothing reads the prompt; keep"
                    + " one of them");
        }
        if (t5) {
            encoders.checkT5(denoiser.contextDim());
        }
    }

    @Override
    public void hold(GenerationRequest request) {
        encoders.hold(Component.CLIP_L);
        encoders.hold(Component.CLIP_G);
        if (request.t5()) {
            encoders.hold(Component.T5);
        }
    }

    @Override
    public List<List<Conditioning>> encode(List<Asked> requests, Listener listener) {
        requests.forEach(asked -> TextEncoders.checkT5Length(asked.request().t5Length()));
        List<Texts> texts = requests.stream().map(asked -> Texts.clip(asked.prompts(),
                asked.request().methods().weights(), asked.request().text().clipSkip())).toList();
        List<ClipStates> l = encoders.clip(Component.CLIP_L, texts, Pooled.PROJECTED, listener);
        List<ClipStates> g = encoders.clip(Component.CLIP_G, texts, Pooled.PROJECTED, listener);
        checkWidths(l.getFirst(), g.getFirst());
        List<TextEncoders.Masked> t5 = encoders.t5(requests.stream().map(asked -> asked.request().t5()
                ? Texts.t5(asked.prompts(), asked.request().t5Length(), asked.request().methods().weights())
                : null).toList(), READING, (encoder, origin) -> TextEncoders.checkT5Width(encoder, origin,
                denoiser.contextDim()), listener);
        List<List<Conditioning>> all = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            ClipStates.restoreMeans(l.get(i), g.get(i));
            List<Conditioning> own = new ArrayList<>();
            for (int p = 0; p < requests.get(i).prompts().size(); p++) {
                own.add(joined(l.get(i), g.get(i), t5.get(i), requests.get(i).request().t5Length(), p));
            }
            all.add(own);
        }
        return all;
    }

    private void checkWidths(ClipStates l, ClipStates g) {
        int contextWidth = denoiser.contextDim();
        int pooledWidth = denoiser.pooledDim();
        // CLIP-L's pooled output is as wide as its hidden states.
        int left = l != null ? l.width() : g != null ? pooledWidth - g.pooledWidth() : 0;
        int right = g != null ? g.width() : 0;
        if (left < 0 || left + right > contextWidth || l != null && g == null && l.pooledWidth() > pooledWidth) {
            throw new InputException(files.origin() + ": the CLIP encoders are " + left + " and " + right
                    + " wide, which does not fit the denoiser's " + contextWidth + " and, pooled, " + pooledWidth
                    + "; do these components belong together?");
        }
    }

    /**
     * One prompt's.
     *
     * @param t5     null for zeros
     * @param length of T5's rows
     */
    private Conditioning joined(ClipStates l, ClipStates g, TextEncoders.Masked t5, int length,
                                int prompt) {
        int contextWidth = denoiser.contextDim();
        int pooledWidth = denoiser.pooledDim();
        int left = l != null ? l.width() : g != null ? pooledWidth - g.pooledWidth() : 0;
        int clipRows = Math.max(l == null ? 0 : l.tokens(), g == null ? 0 : g.tokens());
        int tokens = clipRows + length;
        int pooledSize = l != null && g != null ? l.pooledWidth() + g.pooledWidth() : pooledWidth;
        float[] context = new float[tokens * contextWidth];
        float[] pooled = new float[pooledSize];
        if (l != null) {
            l.copy(prompt, context, contextWidth, 0, pooled, 0);
        }
        if (g != null) {
            g.copy(prompt, context, contextWidth, left, pooled, pooledSize - g.pooledWidth());
        }
        if (t5 != null) {
            int size = length * contextWidth;
            System.arraycopy(t5.hidden(), prompt * size, context, clipRows * contextWidth, size);
        }
        if (pooledSize != pooledWidth) {
            throw new InputException(files.origin() + ": the CLIP encoders' pooled outputs are " + pooledSize
                    + " wide, the denoiser's input " + pooledWidth + "; do these components belong together?");
        }
        return Conditioning.of(Tensor.of(context, tokens, contextWidth), Tensor.of(pooled, pooledSize));
    }
}
