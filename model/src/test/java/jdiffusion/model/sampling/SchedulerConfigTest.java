package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SchedulerConfigTest {
    private static final SchedulerConfig USUAL = SchedulerConfig.ofShift(3);
    private static final String EULER = "\"_class_name\": \"FlowMatchEulerDiscreteScheduler\"";

    private static SchedulerConfig read(Path file) {
        return ((FlowScheduler) NoiseScheduler.read(file, new FlowScheduler(USUAL))).config();
    }

    @Test
    void readsEveryField(@TempDir Path folder) throws IOException {
        var file = Files.writeString(folder.resolve("scheduler_config.json"), "{" + EULER + """
                , "_diffusers_version": "0.40.0", "base_image_seq_len": 100, "base_shift": 0.25,
                "invert_sigmas": false, "max_image_seq_len": 900, "max_shift": 2, "num_train_timesteps": 500,
                "shift": 3.0, "shift_terminal": 0.1, "stochastic_sampling": false, "time_shift_type": "linear",
                "use_beta_sigmas": true, "use_dynamic_shifting": true, "use_exponential_sigmas": false,
                "use_karras_sigmas": false}""");
        assertThat(read(file)).isEqualTo(new SchedulerConfig(500, 3, true, 0.25, 2, 100, 900,
                0.1, SchedulerConfig.TimeShiftType.LINEAR, SigmaSchedule.BETA, Sampler.Kind.EULER.settings(),
                List.of()));
    }

    @Test
    void missingAndNullFieldsAreTheDefaults() throws JsonProcessingException {
        assertThat(parse("{" + EULER + "}")).isEqualTo(SchedulerConfig.ofShift(1));
        assertThat(parse("{" + EULER + ", \"shift_terminal\": null, \"shift\": 3}"))
                .isEqualTo(SchedulerConfig.ofShift(3));
    }

    @Test
    void heunFileHasOnlyAShift() throws JsonProcessingException {
        var config = parse("""
                {"_class_name": "FlowMatchHeunDiscreteScheduler", "shift": 3.0, "use_karras_sigmas": true}""");
        assertThat(config.sampler()).isEqualTo(Sampler.Kind.HEUN.settings());
        assertThat(config.shift()).isEqualTo(3);
        assertThat(config.schedule()).isEqualTo(SigmaSchedule.NORMAL);
    }

    @Test
    void ownShiftReplacesADynamicOne() throws JsonProcessingException {
        var config = parse("{" + EULER + ", \"use_dynamic_shifting\": true, \"use_karras_sigmas\": true}");
        assertThat(config.shiftFor(256)).isEqualTo(new Shift.Dynamic(StrictMath.exp(0.5)));
        assertThat(config.withShift(2).shiftFor(256)).isEqualTo(new Shift.Static(2));
        assertThat(config.withShift(2).schedule()).isEqualTo(SigmaSchedule.KARRAS);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'shift': -1                       | shift is -1.0; it must be 0.01 to 100.0",
        "'shift': 1e999                    | shift is Infinity; it must be 0.01 to 100.0",
        "'shift': '3'                      | shift is '3'; it must be a number",
        "'shift_terminal': 1               | shift_terminal is 1.0; it must be at least 0 and below 1",
        "'num_train_timesteps': 0          | num_train_timesteps is 0; it must be 1 to 1000000",
        "'num_train_timesteps': 2000000000 | num_train_timesteps is 2000000000; it must be 1 to 1000000",
        "'num_train_timesteps': 1e3        | num_train_timesteps is 1000.0; it must be a whole number",
        "'num_train_timesteps': 99999999999| num_train_timesteps is 99999999999; it must be a whole number",
        "'use_karras_sigmas': 1            | use_karras_sigmas is 1; it must be true or false",
        "'time_shift_type': 'cubic'        | time_shift_type is «cubic»; it must be «exponential» or «linear»",
        "'time_shift_type': [[]]           | time_shift_type is [[]]; it must be text",
        "'use_karras_sigmas': true, 'use_beta_sigmas': true | use_karras_sigmas, use_exponential_sigmas and"
                + " use_beta_sigmas are true, false and true; only one can be true",
        "'use_dynamic_shifting': true, 'max_image_seq_len': 256 | base_image_seq_len and max_image_seq_len are 256"
                + " and 256; dynamic shifting needs 0 < base < max",
        "'use_dynamic_shifting': true, 'max_shift': 1e999 | base_shift and max_shift are 0.5 and Infinity; dynamic"
                + " shifting needs finite numbers",
    })
    void badValuesAreNamed(String field, String message) {
        var json = "{" + EULER + ", " + field.replace('\'', '"') + "}";
        var expected = message.replace('\'', '"').replaceAll("[«»]", "'");
        assertThatThrownBy(() -> parse(json)).isInstanceOf(InputException.class).hasMessage("here.json: " + expected);
    }

    /** Shift and sampler that a file of another scheduler means; with a note wherever it is not the very same. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', nullValues = "none", value = {
        "FlowMatchLCM           | 'shift': 2.5                      | LCM      | 2.5 | NORMAL | none",
        "FlowMatchLCM           | 'shift': 2.5, 'scale_factors': [1, 2] | LCM  | 2.5 | NORMAL | scale_factors are given",
        "FlowMatchOther         | 'shift': 2.5                      | EULER    | 2.5 | NORMAL | sampler of FlowMatchOther",
        "FlowMatchEulerDiscrete | 'shift': 2, 'stochastic_sampling': true | LCM | 2 | NORMAL | none",
        "FlowMatchEulerDiscrete | 'shift': 2, 'invert_sigmas': true | EULER    | 2   | NORMAL | invert_sigmas is true",
        "DPMSolverMultistep     | 'use_flow_sigmas': true, 'flow_shift': 4 | DPMPP_2M | 4 | NORMAL | none",
        "DPMSolverMultistep     | 'prediction_type': 'flow_prediction', 'flow_shift': 4, 'use_karras_sigmas': true"
            + " | DPMPP_2M | 4 | KARRAS | none",
        "DPMSolverMultistep     | 'use_flow_sigmas': true, 'solver_order': 1, 'flow_shift': 4 | EULER | 4 | NORMAL"
            + " | none",
        "DPMSolverMultistep     | 'use_flow_sigmas': true, 'solver_order': 3 | DPMPP_3M | 1 | NORMAL | none",
        "DPMSolverMultistep     | 'use_flow_sigmas': true, 'algorithm_type': 'sde-dpmsolver++' | DPMPP_2M_SDE | 1"
            + " | NORMAL | none",
        "DPMSolverMultistep     | 'use_flow_sigmas': true, 'algorithm_type': 'dpmsolver' | DPMPP_2M | 1 | NORMAL"
            + " | algorithm_type is 'dpmsolver'",
        "DPMSolverSinglestep    | 'use_flow_sigmas': true, 'solver_order': 3 | DPMPP_2S | 1 | NORMAL | solver_order is 3",
        "EulerAncestralDiscrete | 'prediction_type': 'flow_prediction' | EULER_ANCESTRAL | 1 | NORMAL | none",
        "LMSDiscrete            | 'use_flow_sigmas': true          | LMS      | 1   | NORMAL | none",
        "KDPM2Discrete          | 'use_flow_sigmas': true          | DPM2     | 1   | NORMAL | none",
        "DPMSolverSinglestep    | 'use_flow_sigmas': true, 'flow_shift': 4 | DPMPP_2S | 4 | NORMAL | none",
        "UniPCMultistep         | 'use_flow_sigmas': true, 'flow_shift': 5 | UNIPC | 5 | NORMAL | none",
        "DEISMultistep          | 'use_flow_sigmas': true, 'flow_shift': 5 | DEIS  | 5 | NORMAL | none",
        "SASolver               | 'use_flow_sigmas': true, 'flow_shift': 5 | EULER | 5 | NORMAL | SASolverScheduler is",
        "DPMSolverMultistep     | 'use_flow_sigmas': false          | EULER    | 3   | NORMAL | without use_flow_sigma",
        "DDIM                   | 'steps_offset': 1                 | EULER    | 3   | NORMAL | DDIMScheduler without",
        "EulerDiscrete          | 'shift': null                     | EULER    | 3   | NORMAL | EulerDiscreteSchedule"})
    void otherSchedulers(String name, String fields, Sampler.Kind sampler, double shift, SigmaSchedule schedule,
            String note) throws JsonProcessingException {
        var config = parse("{\"_class_name\": \"" + name + "Scheduler\", " + fields.replace('\'', '"') + "}");
        assertThat(config.sampler().kind()).isEqualTo(sampler);
        assertThat(config.shift()).isEqualTo(shift);
        assertThat(config.schedule()).isEqualTo(schedule);
        if (note == null) {
            assertThat(config.notes()).isEmpty();
        } else {
            assertThat(config.notes()).singleElement().asString().startsWith("here.json: ").contains(note);
        }
    }

    @Test
    void aFileWithoutAClass() throws JsonProcessingException {
        assertThat(parse("{\"shift\": 2}").shift()).isEqualTo(2);
        assertThat(parse("{}").shift()).isEqualTo(3);
        assertThat(parse("{\"_class_name\": null}").notes()).singleElement().asString()
                .contains("says no _class_name", "euler with shift 3.0");
    }

    @Test
    void whatIsNoConfigurationIsRefused() {
        assertThatThrownBy(() -> parse("[1]")).isInstanceOf(InputException.class)
                .hasMessage("here.json: this is no JSON object; give a scheduler_config.json");
        assertThatThrownBy(() -> SchedulerConfig.of(null, "here.json", USUAL)).isInstanceOf(InputException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "{\"a\": ", "nonsense", "{\"_class_name\": 3}", "\u0000\u0001"})
    void brokenFilesAreNamed(String text, @TempDir Path folder) throws IOException {
        var file = Files.write(folder.resolve("scheduler_config.json"), text.getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> read(file)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(file.toString()).hasMessageNotContaining("\n");
    }

    @Test
    void hugeDeepAndMissingFilesAreNamed(@TempDir Path folder) throws IOException {
        var deep = Files.writeString(folder.resolve("deep.json"), "[".repeat(500_000));
        var huge = Files.write(folder.resolve("huge.json"), new byte[(1 << 20) + 1]);
        for (var file : new Path[] {deep, huge, folder.resolve("missing.json"), folder}) {
            assertThatThrownBy(() -> read(file)).isInstanceOf(InputException.class)
                    .hasMessageStartingWith(file.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -3, 1e-30, 1e30, Double.NaN, Double.NEGATIVE_INFINITY})
    void shiftOutsideItsRangeIsRefused(double shift) {
        assertThatThrownBy(() -> SchedulerConfig.ofShift(3).withShift(shift)).isInstanceOf(InputException.class)
                .hasMessage("shift is " + shift + "; it must be 0.01 to 100.0");
    }

    @Test
    void dynamicShiftOutOfRangeIsRefused() throws JsonProcessingException {
        var steep = parse("{" + EULER + ", \"use_dynamic_shifting\": true, \"max_shift\": 1e300}");
        assertThatThrownBy(() -> steep.shiftFor(4096)).isInstanceOf(InputException.class).hasMessage(
                "the dynamic shift for 4096 image tokens is Infinity; it must be 1.0E-6 to 1000000.0");
        var falling = parse("{" + EULER + """
                , "use_dynamic_shifting": true, "max_shift": -1, "time_shift_type": "linear"}""");
        assertThatThrownBy(() -> falling.shiftFor(4096)).isInstanceOf(InputException.class)
                .hasMessageContaining("is -1.0;");
        assertThatThrownBy(() -> steep.shiftFor(0)).isInstanceOf(IllegalArgumentException.class);
    }

    private static SchedulerConfig parse(String json) throws JsonProcessingException {
        return SchedulerConfig.of(new ObjectMapper().readTree(json), "here.json", USUAL);
    }
}
