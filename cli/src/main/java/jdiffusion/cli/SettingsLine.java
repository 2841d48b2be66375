package jdiffusion.cli;

import java.util.List;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.request.MethodText;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.NoiseScheduler;

/** The line that {@code generate} prints before it draws. */
final class SettingsLine {
    private SettingsLine() {
    }

    /** All that was decided, on one line. */
    static String of(DrawPlan plan, String refiner) {
        GenerationRequest r = plan.request();
        NoiseScheduler scheduler = plan.pipeline().files().scheduler();
        Set<Component> components = plan.pipeline().family().components();
        NoiseScheduler own = Float.isNaN(r.shift()) ? scheduler : scheduler.withShift(r.shift());
        String schedule = r.schedule() == null ? own.describe()
                : r.schedule().label() + (own instanceof FlowScheduler flow ? ", shift " + flow.shift() : "");
        StringBuilder line = new StringBuilder();
        GenerationRequest drawn = plan.pipeline().drawn(r);
        line.append(r.width()).append('x').append(r.height())
                .append(drawn == r ? "" : " (drawn at " + drawn.width() + "x" + drawn.height() + ")")
                .append(", ").append(r.steps())
                .append(r.steps() == 1 ? " step of " : " steps of ")
                .append(r.sampler().kind().label())
                .append(r.sampler().eta() == r.sampler().kind().eta() ? "" : " with eta " + r.sampler().eta())
                .append(", ").append(!r.sigmas().isEmpty() ? "levels by hand" : "schedule " + schedule)
                .append(", cfg scale ").append(r.guidance())
                .append(r.embedded().isThere() ? ", guidance " + r.embedded().scale() : "")
                .append(r.guidanceRescale() > 0 ? " rescaled by " + r.guidanceRescale() : "")
                .append(", seed ").append(Seed.text(r.seed()))
                .append(r.images() == 1 ? "" : r.seeds() == GenerationRequest.Seeds.ONE_DRAW ? " for all"
                        : " to " + Seed.text(r.seed() + r.images() - 1))
                .append(!components.contains(Component.T5) ? ""
                        : ", T5 " + (r.t5() ? r.t5Length() + " tokens" : "off"))
                .append(", precision ").append(plan.device().backend().precision().label());
        for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
            boolean off = components.contains(clip) && !plan.pipeline().files().has(clip);
            line.append(off ? ", " + clip.label() + " off" : "");
        }
        if (!r.skipLayers().layers().isEmpty()) {
            line.append(", skip layers ").append(r.skipLayers().layers()).append(" scale ")
                    .append(r.skipLayers().scale()).append(" from ").append(r.skipLayers().start()).append(" to ")
                    .append(r.skipLayers().stop());
        }
        line.append(MethodText.inWords(r.methods()));
        if (r.init() != null) {
            line.append(", strength ").append(r.strength()).append(r.mask() == null ? "" : ", with mask");
            plan.inputs().inpaint().inWords().forEach(word -> line.append(", ").append(word));
        }
        if (r.hires() != null) {
            line.append(", ").append(r.hires().inWords());
        }
        line.append(plan.control().inWords(r)).append(plan.taesd().inWords())
                .append(refiner);
        plan.loras().hashes().keySet().forEach(name -> line.append(", LoRA ").append(name));
        plan.loras().inversions().keySet().forEach(name -> line.append(", embedding ").append(name));
        return line.toString();
    }
}
