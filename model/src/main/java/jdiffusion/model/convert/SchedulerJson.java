package jdiffusion.model.convert;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SchedulerConfig;
import jdiffusion.model.sampling.SigmaSchedule;

/** A scheduler_config.json as diffusers writes it. */
public final class SchedulerJson {
    private SchedulerJson() {
    }

    /** @throws IllegalArgumentException for schedulers that no family's files are written with yet */
    public static ObjectNode of(NoiseScheduler scheduler) {
        if (scheduler instanceof FlowScheduler flow) {
            return of(flow.config());
        }
        throw new IllegalArgumentException("no way is known to write " + scheduler);
    }

    private static ObjectNode of(SchedulerConfig c) {
        ObjectNode json = JsonNodeFactory.instance.objectNode()
                .put("_class_name",
                        "FlowMatch" + (c.sampler() == Sampler.Kind.HEUN ? "Heun" : "Euler") + "DiscreteScheduler")
                .put("num_train_timesteps", c.numTrainTimesteps()).put("shift", c.shift())
                .put("use_dynamic_shifting", c.useDynamicShifting()).put("base_shift", c.baseShift())
                .put("max_shift", c.maxShift()).put("base_image_seq_len", c.baseImageSeqLen())
                .put("max_image_seq_len", c.maxImageSeqLen())
                .put("time_shift_type", c.timeShiftType().name().toLowerCase(Locale.ROOT))
                .put("use_karras_sigmas", c.schedule() == SigmaSchedule.KARRAS)
                .put("use_exponential_sigmas", c.schedule() == SigmaSchedule.EXPONENTIAL)
                .put("use_beta_sigmas", c.schedule() == SigmaSchedule.BETA);
        if (c.sampler() == Sampler.Kind.DPMPP_2M) {
            json.put("_class_name", "DPMSolverMultistepScheduler").put("use_flow_sigmas", true)
                    .put("prediction_type", "flow_prediction").put("flow_shift", c.shift());
        }
        return c.shiftTerminal() == 0 ? json.putNull("shift_terminal") : json.put("shift_terminal", c.shiftTerminal());
    }
}
