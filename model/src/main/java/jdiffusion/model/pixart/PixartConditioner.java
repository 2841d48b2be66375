package jdiffusion.model.pixart;

import java.util.ArrayList;
import java.util.HashMap;
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
import jdiffusion.model.family.Texts;
import jdiffusion.model.family.Texts;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * The text of PixArt: the cleaned prompt's T5 embeddings, and how many of them are of text and not of padding. A prompt
 * with weights is read as it is, as ComfyUI does, since cleaning takes brackets out.
 */
final class PixartConditioner implements Conditioner {
    /** Name of the number of tokens that are no padding among a conditioning's tensors, [1]. */
    static final String TOKENS = "tokens";
    /** Name of height, width and height by width of the picture, [3], where the denoiser is told them. */
    static final String SIZES = "sizes";
    static final int T5_USUAL = 300;
    static final int T5_ALPHA = 120;
    /** T5 was trained with up to 512 tokens; its relative positions have no other limit. */
    static final int T5_LONGEST = 512;
    /** Characters of a prompt that is cleaned, more than T5 reads: the time for it may grow with their square. */
    static final int CLEANED = 4096;

    private static final TextEncoders.Reading READING = new TextEncoders.Reading(true, true, true);

    private final ModelFiles files;
    private final TextEncoders encoders;
    private final DitConfig denoiser;

    PixartConditioner(Stages stages, DitConfig denoiser) {
        this.files = stages.files();
        this.encoders = new TextEncoders(stages);
        this.denoiser = denoiser;
    }

    static Conditioning blank(DitConfig denoiser, int tokens) {
        int width = denoiser.contextDim();
        return conditioning(denoiser, new float[Math.multiplyExact(tokens, width)], tokens, tokens,
                new float[DitConfig.SIZES]);
    }

    private static Conditioning conditioning(DitConfig denoiser, float[] context, int tokens, int real,
                                             float[] sizes) {
        Map<String, Tensor> tensors = new HashMap<>(Map.of(
                Conditioning.CONTEXT, Tensor.of(context, tokens, denoiser.contextDim()),
                TOKENS, Tensor.of(new float[] {real}, 1)));
        if (denoiser.sizes()) {
            tensors.put(SIZES, Tensor.of(sizes, sizes.length));
        }
        return new Conditioning(tensors);
    }

    @Override
    public void check(GenerationRequest request, boolean run) {
        if (request.t5Length() < 1 || request.t5Length() > T5_LONGEST) {
            throw new InputException("the T5 length is " + request.t5Length() + "; use 1 to " + T5_LONGEST
                    + " tokens (300 are usual, 120 for PixArt-alpha)");
        }
        if (request.text().prompt2() != null || request.text().negativePrompt2() != null
                || request.text().clipSkip() != 0 || !request.micro().equals(MicroConditioning.DEFAULT)) {
            throw new InputException("second prompts, CLIP's layers, sizes, crops and aesthetic scores are for models"
                    + " with CLIP; PixArt reads one prompt with T5, so leave these options out");
        }
        if (!request.t5()) {
            throw new InputException("PixArt reads the prompt with T5 alone; leave out --no-t5");
        }
        for (String text : request.texts()) {
            if (request.text().cleanCaption() && text.length() > CLEANED) {
                throw new InputException("a prompt has " + text.length() + " characters, of which at most " + CLEANED
                        + " can be cleaned; shorten it, or leave it as it is with --no-clean-caption");
            }
        }
        if (!run) {
            return;
        }
        if (!files.has(Component.T5)) {
            String why = files.missing(Component.T5);
            throw new InputException(why != null ? why : files.origin() + ": T5 is left out or not there, and PixArt's"
                    + " denoiser cannot do without it");
        }
        encoders.checkTokenizer(Component.T5);
        encoders.checkT5(denoiser.contextDim());
    }

    @Override
    public void hold(GenerationRequest request) {
        encoders.hold(Component.T5);
    }

    @Override
    public boolean readsSize() {
        return denoiser.sizes();
    }

    @Override
    public List<List<Conditioning>> encode(List<Asked> requests, Listener listener) {
        List<TextEncoders.Masked> t5 = encoders.t5(requests.stream().map(asked -> Texts.t5(asked.prompts().stream()
                .map(prompt -> asked.request().methods().weights() != PromptWeights.NONE ? prompt
                        : CaptionCleaner.of(prompt, asked.request().text().cleanCaption())).toList(),
                asked.request().t5Length(), asked.request().methods().weights())).toList(), READING,
                (encoder, origin) -> TextEncoders.checkT5Width(encoder, origin, denoiser.contextDim()), listener);
        List<List<Conditioning>> all = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            GenerationRequest request = requests.get(i).request();
            float[] sizes = {request.height(), request.width(), (float) request.height() / request.width()};
            int size = request.t5Length() * denoiser.contextDim();
            List<Conditioning> own = new ArrayList<>();
            for (int p = 0; p < requests.get(i).prompts().size(); p++) {
                float[] context = new float[size];
                System.arraycopy(t5.get(i).hidden(), p * size, context, 0, size);
                own.add(conditioning(denoiser, context, request.t5Length(), t5.get(i).counts()[p], sizes));
            }
            all.add(own);
        }
        return all;
    }
}
