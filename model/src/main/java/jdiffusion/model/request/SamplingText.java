package jdiffusion.model.request;

import java.util.Map;
import java.util.stream.Collectors;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;

/** What a picture's text says of its sampler and noise levels, under the names of AUTOMATIC1111's web UI. */
final class SamplingText {
    /** A1111 gives the eta of DDIM a name of its own. */
    static final String ETA = "Eta";
    static final String ETA_DDIM = "Eta DDIM";
    static final String SIGMAS = "Sigmas";
    static final String SAMPLER_RULES = "Sampler rules";
    static final String OF_MODEL = "model";
    static final String SCHEDULE = "Schedule type";

    private SamplingText() {
    }

    static void describe(GenerationRequest r, Map<String, String> fields) {
        SamplerSettings sampler = r.sampler();
        Sampler.Kind kind = sampler.kind();
        fields.put("Sampler", kind.title());
        if (sampler.eta() != kind.eta()) {
            fields.put(kind == Sampler.Kind.DDIM ? ETA_DDIM : ETA, PictureText.number(sampler.eta()));
        }
        if (!sampler.isUsual()) {
            fields.put(SAMPLER_RULES, OF_MODEL);
        }
        if (r.schedule() != null) {
            fields.put(SCHEDULE, r.schedule().title());
        }
        if (!r.sigmas().isEmpty()) {
            fields.put(SIGMAS, r.sigmas().stream().map(PictureText::number).collect(Collectors.joining(", ")));
        }
    }
}
