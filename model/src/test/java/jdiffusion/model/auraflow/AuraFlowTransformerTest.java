package jdiffusion.model.auraflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.SyntheticTensors;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AuraFlowTransformerTest {
    private static float[] onCpu(Precision precision, int threads, int... seeds) {
        try (CpuBackend backend = new CpuBackend(threads, precision)) {
            return TinyAuraFlow.evaluate(backend, seeds);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"F32", "BF16"})
    void aPredictionDoesNotDependOnThreadsOrItsPlaceInTheBatch(Precision precision) {
        int[] seeds = {11, 12, 13};
        float[] all = onCpu(precision, 1, seeds);
        for (float value : all) {
            assertThat(value).isFinite();
        }
        assertThat(onCpu(precision, 3, seeds)).isEqualTo(all);
        for (int i = 0; i < seeds.length; i++) {
            float[] own = Arrays.copyOfRange(all, i * TinyAuraFlow.IMAGE, (i + 1) * TinyAuraFlow.IMAGE);
            assertThat(onCpu(precision, 2, seeds[i])).as("alone, place %d", i).isEqualTo(own);
            float[] pair = onCpu(precision, 2, 99, seeds[i]);
            assertThat(Arrays.copyOfRange(pair, TinyAuraFlow.IMAGE, pair.length)).as("second, place %d", i)
                    .isEqualTo(own);
        }
    }

    private static double rms(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.pow(a[i] - b[i], 2);
        }
        return Math.sqrt(sum / a.length);
    }

    @Test
    @OnEmulatedDevice
    void aDeviceIsOffByAtMostTwiceTheRoundingOfInputs() {
        float[] exact = onCpu(Precision.F32, 2, 1, 2);
        double rounding = rms(onCpu(Precision.BF16, 2, 1, 2), exact);
        assertThat(rounding).isPositive();
        for (Precision precision : List.of(Precision.BF16, Precision.F16)) {
            try (EmulatedCuda cuda = EmulatedCuda.open(precision, precision == Precision.BF16)) {
                assertThat(rms(TinyAuraFlow.evaluate(cuda.backend(), 1, 2), exact)).as("%s", precision)
                        .isLessThanOrEqualTo(2 * rounding);
                assertThat(cuda.allocatedBytes()).isZero();
            }
        }
    }

    /** Of a table of 6 by 6; halves are rounded down before they are subtracted, as diffusers does. */
    @Test
    void positionsAreTheCentreOfTheTable() {
        assertThat(AuraFlowRun.centre(6, 2, 2)).containsExactly(14, 15, 20, 21);
        assertThat(AuraFlowRun.centre(6, 1, 3)).containsExactly(20, 21, 22);
        assertThat(AuraFlowRun.centre(5, 2, 1)).containsExactly(7, 12);
        assertThat(AuraFlowRun.centre(2, 2, 2)).containsExactly(0, 1, 2, 3);
    }

    @Test
    void feedForwardWidthsAreRoundedUp() {
        assertThat(AuraFlowConfig.usualInner(3072)).isEqualTo(8192);
        assertThat(AuraFlowConfig.usualInner(64)).isEqualTo(256);
        assertThat(AuraFlowConfig.usualInner(97)).isEqualTo(512);
    }

    private static SyntheticTensors tiny() {
        return SyntheticFiles.tensors(Families.synthetic("auraflow").tiny(new Vocabularies(0, 0, 50)),
                Component.DENOISER, DType.BF16);
    }

    @Test
    void sizesThatCannotBeAreRefused() {
        try (SyntheticTensors tensors = tiny(); CpuBackend backend = new CpuBackend(1, Precision.F32);
                Workspace w = backend.newWorkspace(1 << 26)) {
            AuraFlowTransformer model = AuraFlowTransformer.load(Weights.of(tensors, Placement.onHost()),
                    tensors.config());
            var text = List.of(new AuraFlow().blank(model.config(), 3));
            Compute compute = new Compute(backend, w);
            assertThatThrownBy(() -> model.start(compute, new DenoiserSetup(text, 1, 26, 8, new float[0])))
                    .isInstanceOf(InputException.class).hasMessageContainingAll("26x8", "12x12", "at most 24");
            assertThatThrownBy(() -> model.start(compute, new DenoiserSetup(text, 1, 7, 8, new float[0])))
                    .isInstanceOf(InputException.class).hasMessageContainingAll("7x8", "patches of 2");
        }
    }

    /** Each names both values, or what is missing. */
    @Test
    void configurationsThatContradictTheTensorsAreRefused() {
        Map<String, List<String>> wrong = new HashMap<>();
        wrong.put("attention_head_dim", List.of("heads of 7", "width 96"));
        wrong.put("patch_size", List.of("patches of 7"));
        wrong.put("num_mmdit_layers", List.of("num_mmdit_layers", "7", "2"));
        wrong.put("pos_embed_max_size", List.of("pos_embed_max_size", "7", "144"));
        wrong.put("joint_attention_dim", List.of("joint_attention_dim", "7", "64"));
        wrong.forEach((key, parts) -> assertThatThrownBy(() -> load(config -> config.put(key, 7))).as(key)
                .isInstanceOf(InputException.class).hasMessageContainingAll(parts.toArray(String[]::new)));
    }

    private static void load(Consumer<ObjectNode> change) {
        try (SyntheticTensors tensors = tiny()) {
            var json = Families.synthetic("auraflow").tiny(new Vocabularies(0, 0, 50)).config(Component.DENOISER);
            change.accept(json);
            AuraFlowTransformer.load(Weights.of(tensors, Placement.onHost()), ConfigFile.of("made up", json));
        }
    }
}
