package jdiffusion.model.sd3;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.Checkpoint;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Modulations of many steps at once are, to the bit, those of each step by itself. */
class StepModulationsTest {
    private static final int BATCH = 3;
    private static final float[] TIMES = {1000, 900, 812.5f, 812.5f, 300, 300, 20};

    private int products;

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"F32", "BF16"})
    void ofManyStepsAreThoseOfEach(Precision precision) {
        var folder = TestData.defaultModel().resolve("transformer");
        try (CpuBackend cpu = new CpuBackend(2, precision);
                var files = Checkpoint.open(folder, "diffusion_pytorch_model");
                Workspace w = cpu.newWorkspace(256L << 20)) {
            Mmdit model = Mmdit.load(Weights.of(files, Placement.onHost()),
                    ConfigFile.read(folder.resolve("config.json")));
            Linear[] projections = {model.finalModulation(), model.finalModulation()};
            int d = model.config().hidden();
            Tensor pooled = w.operand(BATCH, model.config().pooledDim());
            Tensor other = w.operand(BATCH, model.config().pooledDim());
            cpu.upload(ramp((int) pooled.shape().size(), 0.01f), pooled);
            cpu.upload(ramp((int) pooled.shape().size(), -0.02f), other);
            Backend counting = counting(cpu);
            int perStep = BATCH * 4 * d * Float.BYTES;
            for (int atOnce : new int[] {0, 1, 2, 5, 100}) {
                StepModulations grouped = modulations(model, counting, w, TIMES, (long) atOnce * perStep);
                StepModulations single = modulations(model, cpu, w, new float[0], 0);
                grouped.setText(pooled);
                single.setText(pooled);
                products = 0;
                for (float time : TIMES) {
                    assertSame(grouped, single, time, projections);
                }
                // Two of the timestep's and one for each layer; the first step by itself leaves out a layer.
                int groups = Math.ceilDiv(5, Math.max(1, atOnce));
                assertThat(products).as("products with " + atOnce + " steps at once")
                        .isEqualTo(4 * groups - (atOnce < 2 ? 1 : 0));
                // One that was not announced, one from before, and another text.
                assertSame(grouped, single, 555, projections);
                assertSame(grouped, single, 900, projections);
                grouped.setText(other);
                single.setText(other);
                assertSame(grouped, single, 900, projections);
            }
        }
    }

    private static StepModulations modulations(Mmdit model, Backend backend, Workspace w, float[] times,
                                               long mostBytes) {
        return new StepModulations(model.conditioning(), backend, w, model.config().hidden(), BATCH, times,
                List.of(Parts.of(model.config().hidden(), 2), Parts.of(model.config().hidden(), 2)), mostBytes);
    }

    /** Of both layers; the second layer is left out in the first step, as a skipped block is. */
    private static void assertSame(StepModulations grouped, StepModulations single, float time,
                                   Linear... projections) {
        grouped.select(time);
        single.select(time);
        assertThat(grouped.conditioning().toArray()).isEqualTo(single.conditioning().toArray());
        for (int layer = time == TIMES[0] ? 1 : 0; layer < 2; layer++) {
            Tensor[] got = grouped.of(layer, projections[layer])[0];
            Tensor[] wanted = single.of(layer, projections[layer])[0];
            for (int part = 0; part < 2; part++) {
                assertThat(got[part].shape()).isEqualTo(wanted[part].shape());
                assertThat(got[part].toArray()).isEqualTo(wanted[part].toArray());
            }
        }
    }

    private static float[] ramp(int size, float step) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (i % 97) * step - 0.3f;
        }
        return values;
    }

    private Backend counting(Backend backend) {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> {
                    if (method.getName().equals("linear")) {
                        products += ((List<?>) arguments[0]).size();
                    }
                    try {
                        return method.invoke(backend, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
