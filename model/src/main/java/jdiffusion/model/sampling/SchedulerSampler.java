package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import jdiffusion.tensor.InputException;

/** The samplers of diffusers' scheduler classes for noise prediction, with the fields that say more about them. */
enum SchedulerSampler {
    EULER("EulerDiscreteScheduler", Sampler.Kind.EULER),
    EULER_ANCESTRAL("EulerAncestralDiscreteScheduler", Sampler.Kind.EULER_ANCESTRAL),
    HEUN("HeunDiscreteScheduler", Sampler.Kind.HEUN),
    KDPM2("KDPM2DiscreteScheduler", Sampler.Kind.DPM2),
    KDPM2_ANCESTRAL("KDPM2AncestralDiscreteScheduler", Sampler.Kind.DPM2_ANCESTRAL),
    LMS("LMSDiscreteScheduler", Sampler.Kind.LMS),
    DDIM("DDIMScheduler", Sampler.Kind.DDIM),
    /** DDIM with all of DDPM's noise. */
    DDPM("DDPMScheduler", Sampler.Kind.DDIM),
    MULTISTEP("DPMSolverMultistepScheduler", Sampler.Kind.DPMPP_2M),
    SINGLESTEP("DPMSolverSinglestepScheduler", Sampler.Kind.DPMPP_2S),
    DEIS("DEISMultistepScheduler", Sampler.Kind.DEIS),
    UNIPC("UniPCMultistepScheduler", Sampler.Kind.UNIPC),
    LCM("LCMScheduler", Sampler.Kind.LCM),
    /** Trajectory consistency without new noise, as diffusers' pipelines run it: Euler's steps. */
    TCD("TCDScheduler", Sampler.Kind.EULER);

    /** What a file keeps that was one of DEIS; its solver type too, and those of others, mean the usual one. */
    private static final String OF_DEIS = "deis";

    private final String className;
    private final Sampler.Kind kind;

    SchedulerSampler(String className, Sampler.Kind kind) {
        this.className = className;
        this.kind = kind;
    }

    /** diffusers' class. */
    String className() {
        return className;
    }

    /** The sampler where the fields say nothing unusual. */
    Sampler.Kind kind() {
        return kind;
    }

    /** The one of that class, also where it steps several samples at once; null for none. */
    static SchedulerSampler find(String className) {
        String plain = className.replace("ParallelScheduler", "Scheduler");
        return Arrays.stream(values()).filter(one -> one.className.equals(plain)).findFirst().orElse(null);
    }

    /** The one that does what a sampler does; null for none. */
    static SchedulerSampler of(Sampler.Kind kind) {
        return switch (kind) {
            case DPMPP_2M, DPMPP_2M_SDE, DPMPP_3M, DPMPP_3M_SDE -> MULTISTEP;
            default -> Arrays.stream(values()).filter(one -> one.kind == kind).findFirst().orElse(null);
        };
    }

    /** @throws InputException if the fields ask for something that is not done here */
    SamplerSettings read(SchedulerFields fields) {
        return switch (this) {
            case MULTISTEP -> multistep(fields);
            case SINGLESTEP -> {
                fields.choice("algorithm_type", "dpmsolver++", OF_DEIS);
                if (fields.secondOrder("solver_type") != SamplerSettings.SecondOrder.MIDPOINT) {
                    throw new InputException("solver_type is 'heun'; of single-step solvers only 'midpoint' is"
                            + " supported");
                }
                int order = fields.integer("solver_order", 2);
                if (order != 2) {
                    throw new InputException("solver_order is " + order
                            + "; of single-step solvers only order 2 is supported");
                }
                yield kind.settings();
            }
            case DEIS -> {
                fields.choice("algorithm_type", OF_DEIS, "dpmsolver++", "dpmsolver");
                yield ofOrder(fields);
            }
            case UNIPC -> {
                if (fields.text("solver_type", "bh2").equals("bh1")) {
                    throw new InputException("solver_type is 'bh1'; only 'bh2' is supported");
                }
                if (!fields.flag("predict_x0", true)) {
                    throw new InputException("predict_x0 is false; only true is supported");
                }
                if (!fields.json().path("disable_corrector").isEmpty()) {
                    throw new InputException("disable_corrector names steps; only an empty list is supported");
                }
                yield ofOrder(fields);
            }
            case DDPM -> {
                if (fields.choice("variance_type", "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log",
                        "learned", "learned_range") > 1) {
                    throw new InputException("variance_type is '" + fields.text("variance_type", "")
                            + "'; only 'fixed_small' is supported");
                }
                yield kind.settings().withEta(1);
            }
            case LCM -> new SamplerSettings(kind, 1, 1, SamplerSettings.SecondOrder.MIDPOINT, false, true);
            default -> kind.settings();
        };
    }

    private SamplerSettings ofOrder(SchedulerFields fields) {
        return new SamplerSettings(kind, 0, fields.integer("solver_order", 2), SamplerSettings.SecondOrder.MIDPOINT,
                fields.flag("lower_order_final", true), false);
    }

    /** DPM-Solver++ with the fields that all multistep classes have. */
    static SamplerSettings multistep(SchedulerFields fields) {
        boolean noisy = fields.choice("algorithm_type", "dpmsolver++", "sde-dpmsolver++", OF_DEIS) == 1;
        int order = fields.integer("solver_order", 2);
        Sampler.Kind kind = noisy ? order == 3 ? Sampler.Kind.DPMPP_3M_SDE : Sampler.Kind.DPMPP_2M_SDE
                : order == 3 ? Sampler.Kind.DPMPP_3M : Sampler.Kind.DPMPP_2M;
        // Before a last level of 0, the last step of a lower order is of the first order anyway.
        boolean lowers = order == 3 || fields.text("final_sigmas_type", "zero").equals("sigma_min");
        return new SamplerSettings(kind, noisy ? 1 : 0, order, fields.secondOrder("solver_type"),
                lowers && fields.flag("lower_order_final", true), false);
    }

    /**
     * Writes what {@link #read} reads.
     *
     * @param endsAtZero whether the last level is 0
     */
    void write(SamplerSettings sampler, boolean endsAtZero, ObjectNode json) {
        json.put("_class_name", className);
        switch (this) {
            case MULTISTEP -> writeMultistep(sampler, endsAtZero, json);
            case SINGLESTEP -> json.put("algorithm_type", "dpmsolver++").put("solver_order", 2)
                    .put("solver_type", "midpoint").put("lower_order_final", endsAtZero);
            case DEIS -> json.put("algorithm_type", "deis").put("solver_type", "logrho")
                    .put("solver_order", sampler.order()).put("lower_order_final", sampler.lowerFinal());
            case UNIPC -> {
                json.put("solver_type", "bh2").put("predict_x0", true).put("solver_order", sampler.order())
                        .put("lower_order_final", sampler.lowerFinal());
                json.putArray("disable_corrector");
            }
            case DDIM, DDPM, LCM, TCD -> json.put("clip_sample", false);
            default -> { }
        }
    }

    static void writeMultistep(SamplerSettings sampler, boolean endsAtZero, ObjectNode json) {
        boolean heun = sampler.secondAs() == SamplerSettings.SecondOrder.HEUN;
        json.put("algorithm_type", sampler.kind().isStochastic() ? "sde-dpmsolver++" : "dpmsolver++")
                .put("solver_order", sampler.order()).put("solver_type", heun ? "heun" : "midpoint")
                .put("lower_order_final", sampler.lowerFinal() || endsAtZero && sampler.order() < 3)
                .put("euler_at_final", false);
    }
}
