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
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/** The text of AuraFlow: Pile-T5's rows, with zeros for those of padding, which the denoiser attends to all the same. */
final class AuraFlowConditioner implements Conditioner {
    static final int USUAL = 256;

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
    public List<Conditioning> encode(GenerationRequest request, boolean both, Listener listener) {
        int tokens = request.t5Length();
        TextEncoders.checkT5Length(tokens);
        List<String> prompts = both ? List.of(request.negativeText(), request.prompt()) : List.of(request.prompt());
        TextEncoders.Masked text = encoders.maskedT5(prompts, tokens, (encoder, origin) ->
                TextEncoders.checkT5Width(encoder, origin, width), listener);
        List<Conditioning> out = new ArrayList<>();
        for (int p = 0; p < prompts.size(); p++) {
            float[] rows = new float[tokens * width];
            System.arraycopy(text.hidden(), p * rows.length, rows, 0, text.counts()[p] * width);
            out.add(of(rows, tokens, width));
        }
        return out;
    }
}
