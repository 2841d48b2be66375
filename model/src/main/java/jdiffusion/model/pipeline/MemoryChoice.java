package jdiffusion.model.pipeline;

import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;

/**
 * The fastest way to draw a request within a budget of memory.
 *
 * @param pipeline under the policy that was chosen
 * @param plan     what it takes
 */
public record MemoryChoice(Pipeline pipeline, MemoryPlan plan) {
    private static final double GIBI = 1 << 30;

    /**
     * Chooses among what is allowed, in this order: everything stays on the device (if the request has several
     * pictures, which is when it is of use), one component at a time, the VAE on tiles, single components in streamed
     * blocks.
     *
     * @param pipeline under the policy that the user wishes; its tiling is kept, and its budget is the one to keep to
     * @param offload  what the user wishes, or null for any
     * @throws InputException when nothing fits
     */
    public static MemoryChoice of(Pipeline pipeline, GenerationRequest request, Offload offload) {
        return of(pipeline, request, offload, Pipeline::plan);
    }

    /**
     * The same where the pipeline is a part of what is run.
     *
     * @param planned what all of it takes, with the pipeline under some policy
     */
    public static MemoryChoice of(Pipeline pipeline, GenerationRequest request, Offload offload,
                                  BiFunction<Pipeline, GenerationRequest, MemoryPlan> planned) {
        MemoryPolicy wish = pipeline.policy();
        long budget = wish.budget();
        Collection<Offload> allowed = offload != null ? List.of(offload)
                : request.images() > 1 ? List.of(Offload.NONE, Offload.STAGES) : List.of(Offload.STAGES);
        GenerationRequest one = request.toBuilder().images(1).build();
        MemoryChoice last = null;
        for (Offload candidate : allowed) {
            MemoryPolicy policy = new MemoryPolicy(candidate, Set.of(), wish.tiling(), wish.tile(), budget);
            if (candidate == Offload.NONE && offload == null && wish.tiling() == MemoryPolicy.Tiling.AUTO) {
                policy = policy.withTiling(MemoryPolicy.Tiling.OFF, 0);
            }
            last = with(pipeline, one, policy, planned);
            if (last.plan.peak() <= budget) {
                return last;
            }
        }
        if (offload == null) {
            Set<Component> streamed = EnumSet.noneOf(Component.class);
            for (StageMemory stage : last.plan.stages()) {
                if (stage.component() != Component.VAE && stage.peak() > budget) {
                    streamed.add(stage.component());
                }
            }
            last = with(pipeline, one, last.pipeline.policy().withStreamed(streamed), planned);
        }
        if (last.plan.peak() > budget) {
            throw tooLittle(last.plan, budget, offload);
        }
        return last;
    }

    private static MemoryChoice with(Pipeline pipeline, GenerationRequest request, MemoryPolicy policy,
                                     BiFunction<Pipeline, GenerationRequest, MemoryPlan> planned) {
        Pipeline changed = pipeline.withPolicy(policy);
        return new MemoryChoice(changed, planned.apply(changed, request));
    }

    private static InputException tooLittle(MemoryPlan plan, long budget, Offload offload) {
        StageMemory largest = plan.stages().stream().max((a, b) -> Long.compare(a.peak(), b.peak())).orElseThrow();
        // Nothing of a VAE is quantised.
        boolean weights = largest.weights() + largest.slots() > largest.workspace()
                && largest.component() != Component.VAE;
        return new InputException((budget < 1 << 20 ? budget + " bytes" : gibi(budget)) + " of memory do not"
                + " suffice: " + largest.name() + " needs " + gibi(largest.peak())
                + (offload == null ? " at the least" : " with --offload " + offload.label()
                + "; without that option the most that fits is kept")
                + (weights ? "; weights in 4 bits (--quantize nf4) need less" : "; a smaller picture needs less"));
    }

    /** Whether anything is done that takes time and would not be done with more memory. */
    public boolean isReduced() {
        return !pipeline.policy().streamed().isEmpty() || plan.stages().stream().anyMatch(stage -> stage.tile() > 0);
    }

    /** The choice in words. */
    public String describe() {
        MemoryPolicy policy = pipeline.policy();
        Stream<String> offload = plan.mapped() > 0 ? Stream.of() : Stream.concat(
                Stream.of("offload " + policy.offload().label()),
                policy.streamed().stream().sorted().map(component ->
                        pipeline.files().architecture().folder(component) + " streamed"));
        Stream<String> tiles = plan.stages().stream().filter(stage -> stage.tile() > 0)
                .map(stage -> (stage.name().startsWith("taesd") ? "TAESD" : "VAE") + " in tiles of " + stage.tile()
                        + " pixels").distinct();
        return "memory: at most " + gibi(plan.peak())
                + (policy.budget() == Long.MAX_VALUE ? "" : " of " + gibi(policy.budget()))
                + (plan.mapped() > 0 ? " beside the mapped files" : "")
                + Stream.concat(offload, tiles).map(part -> ", " + part).collect(Collectors.joining());
    }

    /** Bytes in words. */
    public static String gibi(long bytes) {
        return bytes < 1L << 30 ? String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20))
                : String.format(Locale.ROOT, "%.2f GiB", bytes / GIBI);
    }
}
