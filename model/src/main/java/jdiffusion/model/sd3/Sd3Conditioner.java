package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.family.TextEncoders;
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
    public List<Conditioning> encode(GenerationRequest request, boolean both, Listener listener) {
        List<String> prompts = both ? List.of(request.negativeText(), request.prompt()) : List.of(request.prompt());
        int t5Length = request.t5Length();
        int contextWidth = denoiser.contextDim();
        int pooledWidth = denoiser.pooledDim();
        TextEncoders.checkT5Length(t5Length);
        // Only the prompt leaves layers out.
        int skip = request.text().clipSkip();
        int[] skipped = both ? new int[] {0, skip} : new int[] {skip};
        PromptWeights weights = request.methods().weights();
        TextEncoders.Clip l = encoders.clip(Component.CLIP_L, prompts, weights, skipped, Pooled.PROJECTED, listener);
        TextEncoders.Clip g = encoders.clip(Component.CLIP_G, prompts, weights, skipped, Pooled.PROJECTED, listener);
        TextEncoders.Clip.restoreMeans(l, g);
        // CLIP-L's pooled output is as wide as its hidden states.
        int left = l != null ? l.width() : g != null ? pooledWidth - g.pooledWidth() : 0;
        int right = g != null ? g.width() : 0;
        if (left < 0 || left + right > contextWidth || l != null && g == null && l.pooledWidth() > pooledWidth) {
            throw new InputException(files.origin() + ": the CLIP encoders are " + left + " and " + right
                    + " wide, which does not fit the denoiser's " + contextWidth + " and, pooled, " + pooledWidth
                    + "; do these components belong together?");
        }
        float[] t5 = request.t5() ? encoders.t5(prompts, t5Length, weights, (encoder, origin) ->
                TextEncoders.checkT5Width(encoder, origin, contextWidth), listener) : null;

        List<Conditioning> out = new ArrayList<>();
        int clipRows = Math.max(l == null ? 0 : l.tokens(), g == null ? 0 : g.tokens());
        int tokens = clipRows + t5Length;
        int pooledSize = l != null && g != null ? l.pooledWidth() + g.pooledWidth() : pooledWidth;
        for (int p = 0; p < prompts.size(); p++) {
            float[] context = new float[tokens * contextWidth];
            float[] pooled = new float[pooledSize];
            if (l != null) {
                l.copy(p, context, contextWidth, 0, pooled, 0);
            }
            if (g != null) {
                g.copy(p, context, contextWidth, left, pooled, pooledSize - g.pooledWidth());
            }
            if (t5 != null) {
                int size = t5Length * contextWidth;
                System.arraycopy(t5, p * size, context, clipRows * contextWidth, size);
            }
            out.add(Conditioning.of(Tensor.of(context, tokens, contextWidth), Tensor.of(pooled, pooledSize)));
        }
        if (pooledSize != pooledWidth) {
            throw new InputException(files.origin() + ": the CLIP encoders' pooled outputs are " + pooledSize
                    + " wide, the denoiser's input " + pooledWidth + "; do these components belong together?");
        }
        return out;
    }
}
