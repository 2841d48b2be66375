package jdiffusion.cli;

import java.util.Map;
import java.util.stream.Collectors;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.SigmaSchedule;

/** What a picture's text says of its sampler and noise levels, under the names of AUTOMATIC1111's web UI. */
final class SamplingText {
    /** A1111 gives the eta of DDIM a name of its own. */
    static final String ETA = "Eta";
    static final String ETA_DDIM = "Eta DDIM";
    static final String SIGMAS = "Sigmas";
    static final String SAMPLER_RULES = "Sampler rules";
    static final String OF_MODEL = "model";

    private SamplingText() {
    }

    static void describe(GenerationRequest r, Map<String, String> fields) {
        SamplerSettings sampler = r.sampler();
        Sampler.Kind kind = sampler.kind();
        fields.put("Sampler", samplerName(kind));
        if (sampler.eta() != kind.eta()) {
            fields.put(kind == Sampler.Kind.DDIM ? ETA_DDIM : ETA, PictureSettings.number(sampler.eta()));
        }
        if (!sampler.isUsual()) {
            fields.put(SAMPLER_RULES, OF_MODEL);
        }
        if (r.schedule() != null) {
            fields.put("Schedule type", scheduleName(r.schedule()));
        }
        if (!r.sigmas().isEmpty()) {
            fields.put(SIGMAS, r.sigmas().stream().map(PictureSettings::number).collect(Collectors.joining(", ")));
        }
    }

    private static String samplerName(Sampler.Kind kind) {
        return switch (kind) {
            case EULER -> "Euler";
            case EULER_ANCESTRAL -> "Euler a";
            case HEUN -> "Heun";
            case DPM2 -> "DPM2";
            case DPM2_ANCESTRAL -> "DPM2 a";
            case DPMPP_2S_ANCESTRAL -> "DPM++ 2S a";
            case DPMPP_2M -> "DPM++ 2M";
            case DPMPP_2M_SDE -> "DPM++ 2M SDE";
            case DPMPP_3M_SDE -> "DPM++ 3M SDE";
            case DPMPP_2S -> "DPM++ 2S";
            case DPMPP_3M -> "DPM++ 3M";
            case LMS -> "LMS";
            case DDIM -> "DDIM";
            case LCM -> "LCM";
            case UNIPC -> "UniPC";
            case DEIS -> "DEIS";
            case RES_MULTISTEP -> "Res Multistep";
            case ER_SDE -> "ER SDE";
        };
    }

    private static String scheduleName(SigmaSchedule schedule) {
        return switch (schedule) {
            case SGM_UNIFORM -> "SGM Uniform";
            case KL_OPTIMAL -> "KL Optimal";
            case DDIM_UNIFORM -> "DDIM Uniform";
            case NORMAL, SIMPLE, KARRAS, EXPONENTIAL, BETA, TRAILING, LEADING, LINSPACE ->
                    schedule.name().charAt(0) + schedule.label().substring(1);
        };
    }
}
