package jdiffusion.model.sampling;

import java.util.Arrays;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * A sampler with everything that its name leaves open.
 *
 * @param kind       the sampler
 * @param eta        share of new noise in stochastic ones, and in {@link Sampler.Kind#DDIM}; 0 for none
 * @param order      highest order of {@link Sampler.Kind#UNIPC}, {@link Sampler.Kind#DEIS} and the multistep
 *                   DPM-Solver++
 * @param secondAs   how a multistep DPM-Solver++ of second order takes the slope of D
 * @param lowerFinal whether the last two steps of fewer than 15 go down in order, as diffusers does
 * @param boundary   whether LCM applies its boundary condition, as diffusers does
 */
public record SamplerSettings(Sampler.Kind kind, double eta, int order, SecondOrder secondAs, boolean lowerFinal,
                              boolean boundary) {
    /** The two second-order forms of DPM-Solver++. */
    public enum SecondOrder {
        /** Half of the first order's weight. */
        MIDPOINT,
        /** The integral of the slope. */
        HEUN
    }

    private static final double LARGEST_ETA = 10;

    public SamplerSettings {
        if (!(eta >= 0 && eta <= LARGEST_ETA)) {
            throw new InputException("eta is " + eta + "; use 0 (no noise) to " + (int) LARGEST_ETA);
        }
        if (order < 1 || order > 3) {
            throw new InputException("the solver's order is " + order + "; use 1 to 3");
        }
    }

    /** As k-diffusion and ComfyUI have the sampler of that name. */
    public static SamplerSettings of(Sampler.Kind kind) {
        return switch (kind) {
            case DPMPP_3M_SDE, DPMPP_3M -> new SamplerSettings(kind, kind.eta(), 3, SecondOrder.HEUN, false, false);
            case UNIPC -> new SamplerSettings(kind, 0, 2, SecondOrder.MIDPOINT, true, false);
            default -> new SamplerSettings(kind, kind.eta(), 2, SecondOrder.MIDPOINT, false, false);
        };
    }

    /**
     * The same sampler with another amount of noise.
     *
     * @throws InputException if it cannot have that
     */
    public SamplerSettings withEta(double value) {
        if (value != eta && !kind.takesEta()) {
            throw new InputException("an eta of " + value + " is given, but the amount of noise that the sampler "
                    + kind.label() + " draws cannot be chosen; leave it out or take one of "
                    + Arrays.stream(Sampler.Kind.values()).filter(Sampler.Kind::takesEta).map(Sampler.Kind::label)
                            .collect(Collectors.joining(", ")));
        }
        return new SamplerSettings(kind, value, order, secondAs, lowerFinal, boundary);
    }

    /** Whether all but eta is as tools mean it by the name alone. */
    public boolean isUsual() {
        SamplerSettings usual = of(kind);
        return equals(new SamplerSettings(kind, eta, usual.order, usual.secondAs, usual.lowerFinal, usual.boundary));
    }

    /** Whether its steps draw noise. */
    public boolean drawsNoise() {
        return eta > 0 && (kind.isStochastic() || kind == Sampler.Kind.DDIM);
    }

    /** The evaluations that this sampler makes of a schedule's steps. */
    public Sigmas evaluations(Sigmas steps, Prediction prediction) {
        return switch (kind) {
            case HEUN -> steps.heun();
            case DPM2 -> steps.twice(Dpm2Sampler::middle);
            case DPM2_ANCESTRAL -> steps.twice((sigma, next) ->
                    Dpm2Sampler.middle(sigma, AncestralStep.of(prediction, sigma, next, eta).down()));
            case DPMPP_2S_ANCESTRAL -> steps.twice((sigma, next) -> Dpmpp2sAncestralSampler.middle(prediction, sigma,
                    AncestralStep.of(prediction, sigma, next, eta).down()));
            default -> steps;
        };
    }

    /**
     * A sampler with memory of its own.
     *
     * @param sigmas as {@link #evaluations} gave them
     * @param like   a tensor of the latents' shape
     */
    public Sampler create(Sigmas sigmas, Prediction prediction, Workspace workspace, Tensor like) {
        Solver solver = new Solver(sigmas, prediction, workspace, like.shape().dims());
        return switch (kind) {
            case EULER -> new EulerSampler(solver);
            case EULER_ANCESTRAL, DDIM -> eta > 0 ? new EulerAncestralSampler(solver, eta) : new EulerSampler(solver);
            case HEUN -> new HeunSampler(solver);
            case DPM2 -> new Dpm2Sampler(solver, 0);
            case DPM2_ANCESTRAL -> new Dpm2Sampler(solver, eta);
            case DPMPP_2S_ANCESTRAL -> new Dpmpp2sAncestralSampler(solver, eta);
            case DPMPP_2M -> equals(of(kind)) ? new Dpmpp2mSampler(solver) : multistep(solver);
            case DPMPP_2M_SDE, DPMPP_3M_SDE, DPMPP_3M -> multistep(solver);
            case DPMPP_2S -> new Dpmpp2sSampler(solver);
            case LMS -> new LmsSampler(solver);
            case LCM -> new LcmSampler(solver, boundary);
            case UNIPC -> new UniPcSampler(solver, order, lowerFinal);
            case DEIS -> new DeisSampler(solver, order, lowerFinal);
            case RES_MULTISTEP -> new ResMultistepSampler(solver);
            case ER_SDE -> new ErSdeSampler(solver, eta);
        };
    }

    private Sampler multistep(Solver solver) {
        return new DpmMultistepSampler(solver, eta, order, secondAs == SecondOrder.HEUN, lowerFinal);
    }
}
