package jdiffusion.model.sampling;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * Integrates from noise to image. It knows no model: after each evaluation of the network at
 * {@code sigmas.timestep(i)} it moves the latents to where the next one is due. It sees the network's output through a
 * {@link Prediction}, as the denoised estimate D or as the derivative (x - D) / sigma, for flows and diffusions alike.
 */
public interface Sampler {
    /** The samplers by name. */
    enum Kind {
        /** One evaluation a step; diffusers' FlowMatchEulerDiscreteScheduler, EulerDiscrete- and EDMEulerScheduler. */
        EULER,
        /**
         * Euler's step to a lower level, then new noise up to the next one; k-diffusion and
         * EulerAncestralDiscreteScheduler. For flows as ComfyUI, which keeps the weight of the image.
         */
        EULER_ANCESTRAL,
        /** The trapezoidal rule, two evaluations a step (Karras et al., 2022, algorithm 1). */
        HEUN,
        /** The midpoint rule, in the middle of ln sigma (DPM-Solver-2, Lu et al., 2022); KDPM2DiscreteScheduler. */
        DPM2,
        /** The same with new noise after each step; KDPM2AncestralDiscreteScheduler. */
        DPM2_ANCESTRAL,
        /** DPM-Solver++(2S), Lu et al. (2022), with new noise after each step, in k-diffusion's form. */
        DPMPP_2S_ANCESTRAL,
        /** DPM-Solver++(2M), Lu et al. (2022), in the form of k-diffusion that Stability's SD3.5 code uses. */
        DPMPP_2M,
        /** SDE-DPM-Solver++(2M) (Lu et al., 2022): new noise in every step. */
        DPMPP_2M_SDE,
        /** Its third order in k-diffusion's form. */
        DPMPP_3M_SDE,
        /** DPM-Solver++ with steps of first and second order in turn; DPMSolverSinglestepScheduler. */
        DPMPP_2S,
        /** DPM-Solver++(3M), Lu et al. (2022); DPMSolverMultistepScheduler of order 3. */
        DPMPP_3M,
        /** A linear multistep method of fourth order (Katherine Crowson's k-diffusion; LMSDiscreteScheduler). */
        LMS,
        /** Song et al., "Denoising Diffusion Implicit Models", 2020; with eta above 0 as much of DDPM's noise. */
        DDIM,
        /** The denoised estimate with new noise (Luo et al., "Latent Consistency Models", 2023). */
        LCM,
        /** Zhao et al., "UniPC: A Unified Predictor-Corrector Framework", 2023, B(h) = e^h - 1, second order. */
        UNIPC,
        /** Zhang and Chen, "Fast Sampling of Diffusion Models with Exponential Integrator", 2022: DEIS in log-rho. */
        DEIS,
        /** Zhang et al., "Improved Order Analysis and Design of Exponential Integrator", 2023 (RES), two steps. */
        RES_MULTISTEP,
        /** Cui et al., "Elucidating the Solution Space of Extended Reverse-Time SDE", 2023, third order. */
        ER_SDE;

        /** Names that other tools give them, {@linkplain #squeezed squeezed}. */
        private static final Map<String, Kind> OTHER_NAMES = Map.ofEntries(
                Map.entry("eulera", EULER_ANCESTRAL), Map.entry("dpm2a", DPM2_ANCESTRAL), Map.entry("kdpm2", DPM2),
                Map.entry("kdpm2a", DPM2_ANCESTRAL), Map.entry("kdpm2ancestral", DPM2_ANCESTRAL),
                Map.entry("dpmpp2sa", DPMPP_2S_ANCESTRAL), Map.entry("dpmpp2msdegpu", DPMPP_2M_SDE),
                Map.entry("dpmpp3msdegpu", DPMPP_3M_SDE), Map.entry("unipcbh2", UNIPC));

        /** The name on the command line: lower case, that of ComfyUI where it has one. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The name in AUTOMATIC1111's web UI, or in its style. */
        public String title() {
            return switch (this) {
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

        /** The sampler of that label, or of a name that other tools use for it. */
        public static Kind of(String label) {
            Kind kind = find(label);
            if (kind == null) {
                throw new InputException("sampler '" + label + "' is unknown; use one of "
                        + Arrays.stream(values()).map(Kind::label).collect(Collectors.joining(", ")));
            }
            return kind;
        }

        /** The same; null when there is none. */
        public static Kind find(String label) {
            String name = squeezed(label);
            return Arrays.stream(values()).filter(kind -> squeezed(kind.label()).equals(name)).findFirst()
                    .orElse(OTHER_NAMES.get(name));
        }

        /** "DPM++ 2M_SDE" as "dpmpp2msde". */
        private static String squeezed(String name) {
            return name.toLowerCase(Locale.ROOT).replace("dpm++", "dpmpp").replaceAll("[\\s_-]+", "");
        }

        /** Whether it draws noise in its steps, unless told otherwise. */
        public boolean isStochastic() {
            return switch (this) {
                case EULER_ANCESTRAL, DPM2_ANCESTRAL, DPMPP_2S_ANCESTRAL, DPMPP_2M_SDE, DPMPP_3M_SDE, LCM, ER_SDE ->
                        true;
                default -> false;
            };
        }

        /** Whether its amount of noise can be chosen; LCM's follows from the levels. */
        public boolean takesEta() {
            return this == DDIM || isStochastic() && this != LCM;
        }

        /** This sampler with nothing else said. */
        public SamplerSettings settings() {
            return SamplerSettings.of(this);
        }

        /** How much noise it adds, unless told otherwise: the eta of the papers. */
        public double eta() {
            return isStochastic() ? 1 : 0;
        }
    }

    /** Where the random numbers of a stochastic sampler come from. */
    @FunctionalInterface
    interface NoiseSource {
        /** Of a sampler that draws none. */
        NoiseSource NONE = _ -> {
            throw new IllegalStateException("this sampler draws no noise");
        };

        /** Standard normal numbers, one draw for the whole tensor. */
        void draw(Tensor out);
    }

    /**
     * @param first      the evaluation that this run started with (not 0 when it starts from an image)
     * @param i          the evaluation that gave {@code prediction}
     * @param prediction [batch, c, h, w] the network's output, guided; may be overwritten
     * @param latents    [batch, c, h, w], from the place of evaluation i to that of i + 1
     * @param noise      asked by stochastic samplers, in diffusers' order where diffusers has them
     */
    void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise);

    /** A step of a sampler that draws no noise. */
    default void step(Backend backend, int first, int i, Tensor prediction, Tensor latents) {
        step(backend, first, i, prediction, latents, NoiseSource.NONE);
    }
}
