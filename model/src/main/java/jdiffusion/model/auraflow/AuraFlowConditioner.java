package jdiffusion.model.auraflow;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.family.Texts;
import jdiffusion.model.family.Texts;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/** The text of AuraFlow: Pile-T5's rows, with zeros for those of padding, which the denoiser attends to all the same. */
final class AuraFlowConditioner implements Conditioner {
    static final int USUAL = 256;
    private static final TextEncoders.Reading READING = new TextEncoders.Reading(true, true, false);

    private final ModelFiles files;
    private final TextEncoders encoders;
    private final int width;

    AuraFlowConditioner(Stages stages, DenoiserConfig denoiser) {
        this.files = stages.files();
        this.encoders = new TextEncoders(stages);
        this.width = denoiser.contextDim();
    }

    static Conditioning of(float[] rows, int tokens, int width) {
        return new Conditioning(Map.of(Conditioning.CONTEXT, Tensor.of(rows, tokens, width)));
    }

    @Override
    public void check(GenerationRequest request, boolean run) {
        TextEncoders.checkT5Length(request.t5Length());
        if (request.text().prompt2() != null || request.text().negativePrompt2() != null
                || !request.micro().equals(MicroConditioning.DEFAULT)) {
            throw new InputException("second prompts, sizes, crops and aesthetic scores are SDXL's; AuraFlow reads one"
                    + " prompt with one encoder, so leave these options out");
        }
        if (request.text().clipSkip() != 0) {
            throw new InputException("AuraFlow has no CLIP, of which layers could be skipped; leave --clip-skip out");
        }
        if (!run) {
            return;
        }
        if (files.missing(Component.T5) != null) {
            throw new InputException(files.missing(Component.T5));
        }
        if (!request.t5() || !files.has(Component.T5)) {
            throw new InputException(files.origin() + ": nothing but Pile-T5 reads AuraFlow's prompts, and it is left"
                    + " out; leave out --no-t5 or give it with --t5xxl");
        }
        encoders.checkTokenizer(Component.T5);
        encoders.checkT5(width);
    }

    @Override
    public void hold(GenerationRequest request) {
        encoders.hold(Component.T5);
    }

    @Override
    public List<List<Conditioning>> encode(List<Asked> requests, Listener listener) {
        requests.forEach(asked -> TextEncoders.checkT5Length(asked.request().t5Length()));
        List<TextEncoders.Masked> text = encoders.t5(requests.stream().map(asked -> Texts.t5(asked.prompts(),
                asked.request().t5Length(), asked.request().methods().weights())).toList(), READING,
                (encoder, origin) -> TextEncoders.checkT5Width(encoder, origin, width), listener);
        List<List<Conditioning>> all = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            int tokens = requests.get(i).request().t5Length();
            List<Conditioning> own = new ArrayList<>();
            for (int p = 0; p < requests.get(i).prompts().size(); p++) {
                float[] rows = new float[tokens * width];
                System.arraycopy(text.get(i).hidden(), p * rows.length, rows, 0, text.get(i).counts()[p] * width);
                own.add(of(rows, tokens, width));
            }
            all.add(own);
        }
        return all;
    }
}
