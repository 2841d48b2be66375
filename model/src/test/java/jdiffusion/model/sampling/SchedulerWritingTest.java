package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read from a scheduler's file is written, with its class, so that the same is read back. */
class SchedulerWritingTest {
    private static final NoiseScheduler DIFFUSION = DiscreteScheduler.stableDiffusion(Prediction.EPSILON);
    private static final NoiseScheduler FLOW = FlowScheduler.ofShift(3);

    private static JsonNode json(String fields) {
        return JsonTree.read(("{" + fields.replace('\'', '"') + "}").getBytes(StandardCharsets.UTF_8), "test");
    }

    private static JsonNode writtenAgain(NoiseScheduler usual, String fields) {
        NoiseScheduler read = usual.read(json(fields), "here.json");
        assertThat(read.notes()).isEmpty();
        JsonNode written = read.write();
        JsonNode reread = JsonTree.read(written.toString().getBytes(StandardCharsets.UTF_8), "again");
        assertThat(usual.read(reread, "again.json")).isEqualTo(read);
        return written;
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "'_class_name': 'EulerDiscreteScheduler'",
        "'_class_name': 'EulerDiscreteScheduler', 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085, 'beta_end':"
            + " 0.012, 'steps_offset': 1, 'timestep_spacing': 'leading', 'use_karras_sigmas': true,"
            + " 'final_sigmas_type': 'sigma_min', 'original_inference_steps': 20",
        "'_class_name': 'EulerDiscreteScheduler', 'prediction_type': 'v_prediction', 'rescale_betas_zero_snr': true,"
            + " 'timestep_spacing': 'trailing', 'use_beta_sigmas': true",
        "'_class_name': 'EulerAncestralDiscreteScheduler', 'timestep_spacing': 'trailing'",
        "'_class_name': 'HeunDiscreteScheduler', 'beta_schedule': 'squaredcos_cap_v2', 'use_exponential_sigmas': true",
        "'_class_name': 'KDPM2DiscreteScheduler', 'use_karras_sigmas': true",
        "'_class_name': 'KDPM2AncestralDiscreteScheduler'",
        "'_class_name': 'LMSDiscreteScheduler', 'use_karras_sigmas': true",
        "'_class_name': 'DDIMScheduler', 'clip_sample': false, 'set_alpha_to_one': false",
        "'_class_name': 'DDIMScheduler', 'clip_sample': false, 'rescale_betas_zero_snr': true",
        "'_class_name': 'DDPMScheduler', 'clip_sample': false, 'timestep_spacing': 'trailing'",
        "'_class_name': 'TCDScheduler', 'original_inference_steps': 100, 'prediction_type': 'v_prediction'",
        "'_class_name': 'DPMSolverMultistepScheduler', 'solver_order': 1",
        "'_class_name': 'DPMSolverMultistepScheduler'",
        "'_class_name': 'DPMSolverMultistepScheduler', 'lower_order_final': false, 'final_sigmas_type': 'sigma_min'",
        "'_class_name': 'DPMSolverMultistepScheduler', 'solver_type': 'heun', 'algorithm_type': 'sde-dpmsolver++'",
        "'_class_name': 'DPMSolverMultistepScheduler', 'solver_order': 3, 'lower_order_final': false",
        "'_class_name': 'DPMSolverMultistepScheduler', 'solver_order': 3, 'algorithm_type': 'sde-dpmsolver++'",
        "'_class_name': 'DPMSolverSinglestepScheduler', 'steps_offset': 1, 'final_sigmas_type': 'sigma_min'",
        "'_class_name': 'DEISMultistepScheduler', 'solver_order': 3",
        "'_class_name': 'UniPCMultistepScheduler', 'solver_order': 3, 'lower_order_final': false",
        "'_class_name': 'LCMScheduler', 'clip_sample': false, 'original_inference_steps': 100",
        "'_class_name': 'EDMEulerScheduler', 'sigma_max': 120, 'sigma_data': 1.0, 'sigma_schedule': 'exponential',"
            + " 'prediction_type': 'v_prediction', 'final_sigmas_type': 'sigma_min'",
        "'_class_name': 'EDMDPMSolverMultistepScheduler', 'rho': 5",
        "'_class_name': 'EDMDPMSolverMultistepScheduler', 'algorithm_type': 'sde-dpmsolver++'",
        "'_class_name': 'EDMDPMSolverMultistepScheduler', 'solver_order': 3, 'solver_type': 'heun'"})
    void ofADiffusion(String fields) {
        JsonNode written = writtenAgain(DIFFUSION, fields);
        assertThat(written.get("_class_name")).isEqualTo(json(fields).get("_class_name"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'_class_name': 'FlowMatchEulerDiscreteScheduler', 'shift': 2, 'use_karras_sigmas': true | FlowMatchEulerDiscrete",
        "'_class_name': 'FlowMatchEulerDiscreteScheduler', 'use_dynamic_shifting': true, 'shift_terminal': 0.1"
            + " | FlowMatchEulerDiscrete",
        "'_class_name': 'FlowMatchEulerDiscreteScheduler', 'stochastic_sampling': true | FlowMatchEulerDiscrete",
        "'_class_name': 'FlowMatchLCMScheduler', 'shift': 2 | FlowMatchEulerDiscrete",
        "'_class_name': 'FlowMatchHeunDiscreteScheduler', 'shift': 2 | FlowMatchHeunDiscrete",
        "'_class_name': 'DPMSolverMultistepScheduler', 'use_flow_sigmas': true, 'flow_shift': 3 | DPMSolverMultistep",
        "'_class_name': 'DPMSolverMultistepScheduler', 'use_flow_sigmas': true, 'solver_order': 3 | DPMSolverMultistep",
        "'_class_name': 'DPMSolverSinglestepScheduler', 'use_flow_sigmas': true | DPMSolverSinglestep",
        "'_class_name': 'UniPCMultistepScheduler', 'use_flow_sigmas': true, 'solver_order': 3 | UniPCMultistep",
        "'_class_name': 'DEISMultistepScheduler', 'use_flow_sigmas': true | DEISMultistep",
        "'_class_name': 'LCMScheduler', 'prediction_type': 'flow_prediction' | LCM"})
    void ofAFlow(String fields, String name) {
        assertThat(writtenAgain(FLOW, fields).get("_class_name").asText()).isEqualTo(name + "Scheduler");
    }

    @Test
    void thoseOfFamilies() {
        for (NoiseScheduler own : List.of(DIFFUSION, DiscreteScheduler.stableDiffusion(Prediction.V),
                EdmScheduler.playground(), FLOW)) {
            assertThat(own.read(own.write(), "test")).isEqualTo(own);
        }
    }

    /** What diffusers registers anew when a scheduler is made from another one's configuration. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "UniPCMultistep      | 'solver_type': 'midpoint'", "UniPCMultistep | 'solver_type': 'logrho'",
        "DEISMultistep       | 'algorithm_type': 'dpmsolver++', 'solver_type': 'midpoint'",
        "DPMSolverMultistep  | 'algorithm_type': 'deis', 'solver_type': 'logrho'",
        "DPMSolverSinglestep | 'algorithm_type': 'deis', 'solver_type': 'bh2'"})
    void leftOfAnotherScheduler(String name, String fields) {
        NoiseScheduler plain = DIFFUSION.read(json("'_class_name': '" + name + "Scheduler'"), "plain.json");
        NoiseScheduler left = DIFFUSION.read(json("'_class_name': '" + name + "Scheduler', " + fields), "left.json");
        assertThat(left).isEqualTo(plain);
    }

    /** Trajectory consistency: LCM's timesteps, to each next one and at last to the first of training. */
    @Test
    void trajectoryConsistency() {
        NoiseScheduler tcd = DIFFUSION.read(json("'_class_name': 'TCDScheduler'"), "here.json");
        Sigmas sigmas = tcd.sigmas(4, 16);
        BetaTable table = BetaTable.stableDiffusion();
        int[] times = {999, 759, 499, 259, 0};
        for (int i = 0; i < 4; i++) {
            assertThat(sigmas.timestep(i)).isEqualTo(times[i]);
            assertThat(sigmas.sigma(i)).isEqualTo(table.sigma(times[i]));
            assertThat(sigmas.target(i)).isEqualTo(table.sigma(times[i + 1]));
        }
        assertThat(tcd.sampler()).isEqualTo(Sampler.Kind.EULER.settings());
    }

    /** The network's prediction and its betas are the file's, whatever its sampler. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "PNDM                | 'skip_prk_steps': true           | EULER        | the sampler of PNDMScheduler is not",
        "SASolver            | 'use_karras_sigmas': true        | EULER        | the sampler of SASolverScheduler is",
        "IPNDM               | 'trained_betas': null            | EULER        | the sampler of IPNDMScheduler is not",
        "DDPM                | 'clip_sample': true              | DDIM         | clip_sample is true",
        "DDPM                | 'clip_sample': false, 'variance_type': 'fixed_large' | DDIM | variance_type is",
        "DDIM                | 'steps_offset': 1                | DDIM         | clip_sample is true",
        "DDIMParallel        | 'clip_sample': true              | DDIM         | clip_sample is true",
        "LCM                 | 'thresholding': true             | LCM          | thresholding is true",
        "EulerDiscrete       | 'interpolation_type': 'log_linear' | EULER      | interpolation_type is 'log_linear'",
        "EulerDiscrete       | 'use_flow_sigmas': true          | EULER        | use_flow_sigmas is true",
        "DPMSolverMultistep  | 'use_lu_lambdas': true           | DPMPP_2M     | use_lu_lambdas is true",
        "DPMSolverMultistep  | 'algorithm_type': 'dpmsolver'    | DPMPP_2M     | algorithm_type is 'dpmsolver'",
        "DPMSolverMultistep  | 'solver_order': 4                | DPMPP_2M     | the solver's order is 4",
        "DPMSolverMultistep  | 'euler_at_final': true, 'final_sigmas_type': 'sigma_min' | DPMPP_2M | euler_at",
        "DPMSolverSinglestep | 'solver_order': 3                | DPMPP_2S     | only order 2 is supported",
        "UniPCMultistep      | 'solver_type': 'bh1'             | UNIPC        | solver_type is 'bh1'",
        "UniPCMultistep      | 'disable_corrector': [0]         | UNIPC        | disable_corrector names steps"})
    void whatIsNotDoneHereIsSaid(String name, String fields, Sampler.Kind sampler, String note) {
        NoiseScheduler read = DIFFUSION.read(json("'_class_name': '" + name + "Scheduler', " + fields
                + ", 'prediction_type': 'v_prediction', 'beta_start': 0.0007, 'beta_end': 0.01, 'beta_schedule':"
                + " 'scaled_linear', 'timestep_spacing': 'trailing'"), "here.json");
        assertThat(read.notes()).singleElement().asString().startsWith("here.json: ").contains(note);
        assertThat(read.sampler().kind()).isEqualTo(sampler);
        assertThat(read.prediction()).isEqualTo(Prediction.V);
        assertThat(((DiscreteScheduler) read).table().betas()).satisfies(betas -> {
            assertThat(betas.start()).isEqualTo(0.0007);
            assertThat(betas.kind()).isEqualTo(BetaTable.Kind.SCALED_LINEAR);
        });
    }

    /** A schedule that ends in pure noise starts from a finite level in every class. */
    @ParameterizedTest
    @ValueSource(strings = {"DDIM", "DDPM", "LCM", "TCD", "EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"})
    void pureNoiseIsAFiniteLevel(String name) {
        NoiseScheduler read = DIFFUSION.read(json("'_class_name': '" + name + "Scheduler', 'clip_sample': false,"
                + " 'rescale_betas_zero_snr': true, 'prediction_type': 'v_prediction', 'timestep_spacing': 'trailing'"),
                "here.json");
        assertThat(read.sigmas(4, 16).sigma(0)).isCloseTo(4096, offset(1f));
    }

    /** A class that is not known says nothing where a field is missing; there the family's own holds. */
    @Test
    void anUnknownClassWithoutFieldsIsTheFamilys() {
        DiscreteScheduler read = (DiscreteScheduler) DIFFUSION.read(json("'_class_name': 'MyScheduler'"), "here.json");
        assertThat(read.table()).isEqualTo(BetaTable.stableDiffusion());
        assertThat(read.spacing()).isEqualTo(TimestepSpacing.LEADING);
    }

    /** Networks like SDXL's are trained for flows, too. */
    @ParameterizedTest
    @ValueSource(strings = {"'_class_name': 'FlowMatchEulerDiscreteScheduler', 'shift': 2.5",
        "'_class_name': 'EulerDiscreteScheduler', 'prediction_type': 'flow_prediction', 'flow_shift': 2.5"})
    void aFlow(String fields) {
        assertThat(DIFFUSION.read(json(fields), "here.json")).isEqualTo(FlowScheduler.ofShift(2.5));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'_class_name': 'EDMOtherScheduler' | _class_name is 'EDMOtherScheduler'; it must be one of EDMEulerScheduler",
        "'_class_name': 'PNDMScheduler', 'trained_betas': [0.1] | trained_betas is given",
        "'_class_name': 'PNDMScheduler', 'beta_schedule': 'sigmoid' | beta_schedule is 'sigmoid'",
        "'_class_name': 'DDPMScheduler', 'prediction_type': 'sample' | prediction_type is 'sample'",
        "'_class_name': 'EulerDiscreteScheduler', 'timestep_type': 'continuous' | timestep_type is 'continuous'",
        "'_class_name': 'DPMSolverMultistepScheduler', 'final_sigmas_type': 'one' | final_sigmas_type is 'one'"})
    void whatChangesTheNetworkIsRefused(String fields, String message) {
        assertThatThrownBy(() -> DIFFUSION.read(json(fields), "here.json")).isInstanceOf(InputException.class)
                .hasMessageStartingWith("here.json: ").hasMessageContaining(message);
    }
}
