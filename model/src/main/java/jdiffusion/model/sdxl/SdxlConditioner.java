package jdiffusion.model.sdxl;

import java.util.ArrayList;
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
import jdiffusion.model.stage.Stages;
import jdiffusion.model.text.ClipTextEncoder.Pooled;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * The text of SDXL: CLIP-L and OpenCLIP's bigG side by side, bigG's pooled output, and behind it the embedded sizes. A
 * refiner reads bigG alone. Where no negative prompt is given and {@code force_zeros_for_empty_prompt} says so, the
 * negative text is zeros (the rule of diffusers and of A1111).
 */
final class SdxlConditioner implements Conditioner {
    private static final int NOWHERE = -1;

    private final ModelFiles files;
    private final TextEncoders encoders;
    private final UnetConfig unet;
    private final boolean refiner;

    SdxlConditioner(Stages stages, UnetConfig unet) {
        this.files = stages.files();
        this.encoders = new TextEncoders(stages);
        this.unet = unet;
        this.refiner = Sdxl.isRefiner(unet);
    }

    static Conditioning blank(UnetConfig unet) {
        int tokens = TextEncoders.CLIP_LENGTH;
        return new Conditioning(Map.of(
                Conditioning.CONTEXT, Tensor.of(new float[tokens * unet.contextDim()], tokens, unet.contextDim()),
                SizeEmbedding.ADDED, Tensor.of(new float[unet.addedDim()], unet.addedDim())));
    }

    @Override
    public void check(GenerationRequest request, boolean run) {
        if (request.t5Length() != TextEncoders.CLIP_LENGTH) {
            throw new InputException("the T5 length is " + request.t5Length()
                    + ", but SDXL has no T5; leave --t5-length out");
        }
        if (!run) {
            return;
        }
        List<Component> needed = refiner ? List.of(Component.CLIP_G) : List.of(Component.CLIP_L, Component.CLIP_G);
        for (Component encoder : needed) {
            if (!files.has(encoder)) {
                String why = files.missing(encoder);
                throw new InputException(why != null ? why : files.origin() + ": " + encoder.label()
                        + " is left out or not there, and SDXL's denoiser cannot do without it");
            }
        }
        needed.forEach(encoders::checkTokenizer);
        needed.forEach(encoder -> encoders.checkClipSkip(encoder, request.text().clipSkip()));
    }

    @Override
    public void hold(GenerationRequest request) {
        if (!refiner) {
            encoders.hold(Component.CLIP_L);
        }
        encoders.hold(Component.CLIP_G);
    }

    /** Whether the negative text is zeros and not that of an empty prompt. */
    private boolean zeros(GenerationRequest request) {
        return request.negativePrompt() == null && files.index().flag("force_zeros_for_empty_prompt", !refiner);
    }

    @Override
    public boolean readsSize() {
        return true;
    }

    @Override
    public List<List<Conditioning>> encode(List<Asked> requests, Listener listener) {
        List<ClipStates> l = encoders.clip(Component.CLIP_L, requests.stream().map(asked -> refiner ? null
                : texts(asked, asked.request().negativeText(), asked.request().prompt())).toList(), Pooled.NONE,
                listener);
        List<ClipStates> g = encoders.clip(Component.CLIP_G, requests.stream().map(asked -> texts(asked,
                or(asked.request().text().negativePrompt2(), asked.request().negativeText()),
                or(asked.request().text().prompt2(), asked.request().prompt()))).toList(), Pooled.PROJECTED, listener);
        List<List<Conditioning>> all = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            GenerationRequest request = requests.get(i).request();
            boolean both = requests.get(i).both();
            boolean zeros = zeros(request);
            // Each has a mean of its own.
            ClipStates.restoreMeans(l.get(i));
            ClipStates.restoreMeans(g.get(i));
            List<Conditioning> own = new ArrayList<>();
            for (boolean less : both ? new boolean[] {true, false} : new boolean[] {false}) {
                own.add(joined(request, l.get(i), g.get(i), less, less ? zeros ? NOWHERE : 0 : both && !zeros ? 1 : 0));
            }
            all.add(own);
        }
        return all;
    }

    private static String or(String value, String otherwise) {
        return value == null ? otherwise : value;
    }

    /** For one of the encoders; of a negative text that is zeros nothing is read. */
    private Texts texts(Asked asked, String negative, String prompt) {
        GenerationRequest request = asked.request();
        return Texts.clip(asked.both() && !zeros(request) ? List.of(negative, prompt) : List.of(prompt),
                request.methods().weights(), request.text().clipSkip());
    }

    /** @param at place of the text in what was encoded; NOWHERE for zeros */
    private Conditioning joined(GenerationRequest request, ClipStates l, ClipStates g, boolean less,
                                int at) {
        int left = l == null ? 0 : l.width();
        int width = left + g.width();
        if (width != unet.contextDim()) {
            throw new InputException(files.origin() + ": the text encoders are " + left + " and "
                    + g.width() + " wide, which does not fit the denoiser's " + unet.contextDim()
                    + "; do these components belong together?");
        }
        int tokens = Math.max(l == null ? 0 : l.tokens(), g.tokens());
        float[] context = new float[tokens * width];
        float[] pooled = new float[g.pooledWidth()];
        if (at != NOWHERE) {
            if (l != null) {
                l.copy(at, context, width, 0, pooled, 0);
            }
            g.copy(at, context, width, left, pooled, 0);
        }
        MicroConditioning micro = request.micro();
        float[] ids = micro.ids(request.height(), request.width(), refiner, less, refiner || request.init() != null);
        float[] added = SizeEmbedding.join(pooled, ids, unet.addedDim(), files.origin());
        return new Conditioning(Map.of(
                Conditioning.CONTEXT, Tensor.of(context, tokens, width),
                Conditioning.POOLED, Tensor.of(pooled, pooled.length),
                SizeEmbedding.IDS, Tensor.of(ids, ids.length),
                SizeEmbedding.ADDED, Tensor.of(added, added.length)));
    }
}
