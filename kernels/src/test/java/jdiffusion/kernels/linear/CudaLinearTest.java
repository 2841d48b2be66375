package jdiffusion.kernels.linear;

import static jdiffusion.kernels.linear.SampledLinear.check;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear layers with dense weights on a CUDA device whose operands are bfloat16. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaLinearTest {
    private TestDevice device;
    private CudaLinear linear;

    @BeforeAll
    void open() {
        device = TestDevice.open();
        linear = new CudaLinear(device.cuda());
    }

    @AfterAll
    void close() {
        device.close();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    static Stream<LinearCase> ragged() {
        return Stream.concat(Arrays.stream(LinearCase.RAGGED), Stream.of(
                // Whole chunks of 8, so that rows go straight to shared memory: around the edges of tiles and stages.
                new LinearCase(1, 8, 8, DType.BF16), new LinearCase(63, 32, 65, DType.BF16),
                new LinearCase(65, 104, 63, DType.BF16), new LinearCase(130, 200, 72, DType.BF16)))
                .filter(c -> c.flops() < 30e6);
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void raggedSizesAndAllWeightTypes(LinearCase c) {
        for (DType x : new DType[] {DType.BF16, DType.F32}) {
            check(device, linear::run, LinearSample.of(c).x(x));
        }
        check(device, linear::run, LinearSample.of(c).out(DType.BF16).gaps(3));
    }

    @ParameterizedTest
    @EnumSource
    void activationsInEveryMode(Activation activation) {
        LinearSample sample = LinearSample.of(new LinearCase(14, 40, 72, DType.BF16)).activation(activation);
        for (Mode mode : Mode.values()) {
            for (DType out : new DType[] {DType.F32, DType.BF16}) {
                check(device, linear::run, sample.mode(mode).out(out));
                check(device, linear::run, sample.mode(mode).out(out).gaps(8));
            }
        }
        check(device, linear::run, sample.mode(Mode.ADD).gate(2).bias(null));
    }

    @Test
    void gatesFollowTheirRunsOfRows() {
        for (int batch : new int[] {1, 2, 3, 18}) {
            for (int gaps : new int[] {0, 1, 8}) {
                check(device, linear::run, LinearSample.of(new LinearCase(18, 24, 130, DType.F16)).mode(Mode.ADD).gate(batch)
                        .gaps(gaps));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
    void everyTypeOfWeightBiasAndInput(DType type) {
        for (DType x : new DType[] {DType.BF16, DType.F32, DType.F16}) {
            check(device, linear::run, LinearSample.of(new LinearCase(9, 40, 33, type)).x(x));
            check(device, linear::run, LinearSample.of(new LinearCase(9, 37, 33, type)).x(x).gaps(3));
        }
    }

    /** 99 blocks of the large tile, with edges. */
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F8_E4M3"})
    void manyRowsTakeTheLargeTile(DType type) {
        check(device, linear::run, LinearSample.of(new LinearCase(1100, 72, 1290, type)).mode(Mode.ADD).gate(2));
    }

    /** 99 blocks of the broad tile, with edges; its sums are those of the small tile to the bit. */
    @Test
    void layersThatFillACardTakeTheBroadTile() {
        check(device, linear::run, LinearSample.of(new LinearCase(1100, 72, 2570, DType.BF16)).mode(Mode.ADD).gate(2));
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 1100, 72));
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, 2570, 72)));
        Tensor bias = device.put(TestTensors.random(3, DType.F32, 1, 2570));
        Epilogue gelu = Epilogue.activate(Activation.GELU_TANH);
        Tensor whole = device.empty(DType.F32, 1100, 2570);
        linear.run(List.of(new LinearCall(x, w, bias, gelu, whole)));
        for (int row : new int[] {0, 70, 1060}) {
            Tensor part = device.empty(DType.F32, 40, 2570);
            linear.run(List.of(new LinearCall(x.slice(row, row + 40), w, bias, gelu, part)));
            assertThat(device.get(part)).isEqualTo(device.get(whole.slice(row, row + 40)));
        }
    }

    @Test
    void operandsOfFloat16() {
        device.close();
        try (TestDevice half = TestDevice.open(DType.F16)) {
            CudaLinear linear16 = new CudaLinear(half.cuda());
            for (DType type : new DType[] {DType.F16, DType.BF16, DType.F32}) {
                for (DType x : new DType[] {DType.F16, DType.F32}) {
                    check(half, linear16::run, LinearSample.of(new LinearCase(70, 72, 66, type)).operand(DType.F16).x(x)
                            .out(DType.F16).activation(Activation.GELU_TANH));
                }
            }
            Tensor wide = half.put(DType.BF16, new float[] {3e38f, -1e38f, 0, 0, 0, 0, 0, 0}, 1, 8);
            Tensor out = half.empty(DType.F32, 1, 1);
            Tensor ones = half.put(TestTensors.random(1, DType.F16, 0, 1, 8));
            half.cuda().copyIn(MemorySegment.ofArray(new short[] {0x3c00, 0x3c00}), ones.data().address());
            linear16.run(List.of(new LinearCall(wide, Weight.of(ones), null, Epilogue.STORE, out)));
            assertThat(half.get(out)[0]).as("wide operands stay wide").isCloseTo(2e38f, Percentage.withPercentage(1));
            for (int n : new int[] {1290, 2570}) {
                check(half, linear16::run, LinearSample.of(new LinearCase(1100, 40, n, DType.F16)).operand(DType.F16)
                        .x(DType.F16));
            }
        } finally {
            open();
        }
    }

    @Test
    void joinedWeightsFillColumnsOfOneOutput() {
        Tensor[] parts = {TestTensors.random(1, DType.BF16, 1, 70, 40), TestTensors.random(2, DType.F32, 1, 1, 40),
            TestTensors.random(3, DType.F8_E4M3, 1, 63, 40)};
        Tensor x = device.put(DType.BF16, TestTensors.gaussian(4, 9 * 40, 1), 9, 40);
        Tensor bias = device.put(TestTensors.random(5, DType.F32, 1, 134));
        Tensor gate = device.put(DType.F32, TestTensors.gaussian(6, 3 * 134, 1), 3, 134);
        Tensor[] placed = Arrays.stream(parts).map(device::put).toArray(Tensor[]::new);
        Weight nested = Weight.rows(Weight.of(placed[0]), Weight.rows(Weight.of(placed[1]), Weight.of(placed[2])));
        Tensor out = device.put(DType.F32, new float[9 * 134], 9, 134);
        linear.run(List.of(new LinearCall(x, nested, bias, Epilogue.gatedAdd(gate), out)));
        int from = 0;
        for (Tensor part : placed) {
            int to = from + part.rows();
            Tensor alone = device.put(DType.F32, new float[9 * part.rows()], 9, part.rows());
            linear.run(List.of(new LinearCall(x, Weight.of(part), bias.columns(from, to),
                    Epilogue.gatedAdd(gate.columns(from, to)), alone)));
            assertThat(device.get(out.columns(from, to))).isEqualTo(device.get(alone));
            from = to;
        }
    }

    @Test
    void layersRunTogetherAreWhatTheyAreAlone() {
        List<LinearCall> together = new ArrayList<>();
        List<LinearCall> alone = new ArrayList<>();
        for (int i = 0; i < 19; i++) {
            int m = 1 + 11 * i;
            int k = 16 + 8 * (i % 4);
            int n = 100 - 5 * i;
            Tensor x = device.put(TestTensors.random(i, i % 5 == 4 ? DType.F32 : DType.BF16, 1, m, k));
            Weight w = Weight.of(device.put(TestTensors.random(50 + i, i % 3 == 2 ? DType.F16 : DType.BF16, 1, n, k)));
            Epilogue epilogue = Epilogue.activate(Activation.values()[i % 5]);
            for (List<LinearCall> calls : List.of(together, alone)) {
                calls.add(new LinearCall(x, w, null, epilogue, device.empty(DType.F32, m, n)));
            }
        }
        linear.run(together);
        for (int i = 0; i < alone.size(); i++) {
            linear.run(List.of(alone.get(i)));
            assertThat(device.get(together.get(i).out())).as("layer " + i)
                    .isEqualTo(device.get(alone.get(i).out()));
        }
    }

    @Test
    void layersOfAKindAreOneLaunch() {
        Tensor x = device.put(DType.BF16, TestTensors.gaussian(1, 3 * 64, 1), 3, 64);
        List<LinearCall> calls = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            Weight[] qkv = new Weight[3];
            for (int j = 0; j < 3; j++) {
                qkv[j] = Weight.of(device.put(TestTensors.random(i, DType.BF16, 1, 64, 64)));
            }
            calls.add(new LinearCall(x, Weight.rows(qkv), null, Epilogue.STORE, device.empty(DType.BF16, 3, 192)));
        }
        long before = device.cuda().launches();
        linear.run(calls);
        assertThat(device.cuda().launches() - before).isEqualTo(1);
    }

    @Test
    void nothingIsRunForNoRows() {
        Weight w = Weight.of(device.put(TestTensors.random(1, DType.BF16, 1, 8, 8)));
        linear.run(List.of(new LinearCall(device.empty(DType.BF16, 0, 8), w, null, Epilogue.STORE,
                device.empty(DType.F32, 0, 8))));
        linear.run(List.of());
    }

    @Test
    void shapesThatDoNotFitAreNamed() {
        Tensor x = Tensor.of(new float[6], 2, 3);
        Weight w = Weight.of(Tensor.of(new float[12], 4, 3));
        assertThatThrownBy(() -> new LinearCall(x, w, null, Epilogue.STORE, Tensor.of(new float[12], 3, 4)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll("linear", "[3, 4]", "[2, 3]");
    }
}
