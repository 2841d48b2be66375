package jdiffusion.server.a1111;

import java.util.Arrays;
import java.util.stream.Collectors;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.http.HttpError;
import jdiffusion.tensor.InputException;

/**
 * A sampler and a schedule by their names in AUTOMATIC1111's web UI, of which older versions had both in one name, as
 * in {@code DPM++ 2M Karras}.
 *
 * @param sampler  null for the model's own
 * @param schedule null for the model's own
 */
record SamplerName(Sampler.Kind sampler, SigmaSchedule schedule) {
    static SamplerName of(String sampler, String schedule) {
        SigmaSchedule spacing = schedule == null || schedule.isBlank() || schedule.equalsIgnoreCase("automatic") ? null
                : schedule(schedule);
        if (sampler == null || sampler.isBlank() || sampler.equalsIgnoreCase("automatic")) {
            return new SamplerName(null, spacing);
        }
        Sampler.Kind kind = Sampler.Kind.find(sampler);
        if (kind != null) {
            return new SamplerName(kind, spacing);
        }
        int blank = sampler.lastIndexOf(' ');
        Sampler.Kind first = blank < 0 ? null : Sampler.Kind.find(sampler.substring(0, blank));
        SigmaSchedule second = blank < 0 ? null : find(sampler.substring(blank + 1));
        if (first == null || second == null) {
            throw HttpError.badField("sampler_name", "sampler '" + InputException.shown(sampler) + "' is unknown; use"
                    + " one of " + Arrays.stream(Sampler.Kind.values()).map(Sampler.Kind::title)
                            .collect(Collectors.joining(", ")));
        }
        return new SamplerName(first, spacing == null ? second : spacing);
    }

    private static SigmaSchedule schedule(String name) {
        SigmaSchedule schedule = find(name);
        if (schedule == null) {
            throw HttpError.badField("scheduler", "scheduler '" + InputException.shown(name) + "' is unknown; use"
                    + " Automatic or one of " + Arrays.stream(SigmaSchedule.values()).map(SigmaSchedule::title)
                            .collect(Collectors.joining(", ")));
        }
        return schedule;
    }

    private static SigmaSchedule find(String name) {
        return Arrays.stream(SigmaSchedule.values()).filter(schedule -> name.equalsIgnoreCase(schedule.title())
                || name.equalsIgnoreCase(schedule.label())).findFirst().orElse(null);
    }
}
