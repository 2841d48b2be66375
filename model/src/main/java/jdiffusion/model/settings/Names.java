package jdiffusion.model.settings;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;

/**
 * The samplers and schedules by the names that image generators give them: those of AUTOMATIC1111's and Forge's menus,
 * of k-diffusion (ComfyUI, SwarmUI, Fooocus), InvokeAI, NovelAI, Draw Things and stable-diffusion.cpp.
 *
 * @param sampler  null for one that is not here
 * @param schedule the name of the schedule that stood behind the sampler's; null for none
 */
record Names(Sampler.Kind sampler, String schedule) {
    /** The program that draws chooses. */
    private static final Set<String> OPEN = Set.of("", "automatic", "auto", "default", "native", "none");
    /** Words that may follow a sampler's name and mean a schedule; InvokeAI's "k" is Karras. */
    private static final List<String> SUFFIXES = List.of("karras", "exponential", "k", "discrete", "simple", "beta",
            "normal", "sgm uniform", "trailing", "ays", "ays gits", "gits", "kl optimal", "smoothstep");

    /** Names of AUTOMATIC1111's menu for schedules that are called otherwise here; its polyexponential has rho 1. */
    private static final Map<String, String> OTHER_SCHEDULES = Map.of("uniform", "normal", "ddim", "ddimuniform",
            "polyexponential", "exponential");

    static Names of(String name) {
        String spaced = spaced(name);
        Sampler.Kind whole = Sampler.Kind.find(spaced);
        if (whole != null) {
            return new Names(whole, null);
        }
        for (String suffix : SUFFIXES) {
            if (spaced.endsWith(" " + suffix)) {
                return new Names(Sampler.Kind.find(spaced.substring(0, spaced.length() - suffix.length())),
                        suffix.equals("k") ? "karras" : suffix);
            }
        }
        return new Names(null, null);
    }

    /** Whether the name leaves the schedule to the program. */
    static boolean isOpen(String schedule) {
        return OPEN.contains(spaced(schedule));
    }

    /** The schedule of that name; null for one that is not here. */
    static SigmaSchedule schedule(String name) {
        String known = OTHER_SCHEDULES.getOrDefault(squeezed(name), squeezed(name));
        return Arrays.stream(SigmaSchedule.values()).filter(schedule -> squeezed(schedule.label()).equals(known))
                .findFirst().orElse(null);
    }

    /** "DPM++ 2M_SDE" as "dpmpp 2m sde", and without the "k_" that means k-diffusion. */
    private static String spaced(String name) {
        String spaced = name.toLowerCase(Locale.ROOT).replace("dpm++", "dpmpp").replaceAll("[\\s_-]+", " ").strip();
        return spaced.startsWith("k ") ? spaced.substring(2) : spaced;
    }

    private static String squeezed(String name) {
        return spaced(name).replace(" ", "");
    }
}
