package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'_class_name': 'PNDMScheduler' | for a model of this kind use one of EulerDiscreteScheduler, EulerAncestral",
        "'_class_name': 'EDMOtherScheduler' | _class_name is 'EDMOtherScheduler'; it must be one of EDMEulerScheduler",
        "'_class_name': 'UniPCMultistepScheduler', 'solver_type': 'bh1' | solver_type is 'bh1'; only 'bh2' is supported",
        "'_class_name': 'UniPCMultistepScheduler', 'disable_corrector': [0] | disable_corrector names steps",
        "'_class_name': 'DPMSolverSinglestepScheduler', 'solver_order': 3 | only order 2 is supported",
        "'_class_name': 'DPMSolverMultistepScheduler', 'solver_order': 4 | the solver's order is 4; use 1 to 3",
        "'_class_name': 'DPMSolverMultistepScheduler', 'final_sigmas_type': 'one' | final_sigmas_type is 'one'"})
    void whatIsNotDoneHere(String fields, String message) {
        assertThatThrownBy(() -> DIFFUSION.read(json(fields), "here.json")).isInstanceOf(InputException.class)
                .hasMessageStartingWith("here.json: ").hasMessageContaining(message);
    }
}
