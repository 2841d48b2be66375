package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionLookTest {
    static Stream<AttentionCase> cases() {
        return AttentionLookCase.cases().stream();
    }

    private static DType input(Precision precision) {
        return precision == Precision.BF16 ? DType.BF16 : DType.F32;
    }

    /** The probabilities are those of a naive softmax, and the output is the same to the bit as without looking. */
    @ParameterizedTest
    @MethodSource("cases")
    void isANaiveSoftmax(AttentionCase problem) {
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            check(problem, precision, CpuLevel.best());
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyLevelIs(CpuLevel level) {
        Levels.assume(level);
        for (AttentionCase problem : List.of(AttentionCase.of(1, 2, 64, 97), AttentionCase.of(1, 1, 24, 33, 20),
                AttentionCase.of(2, 1, 64, 40, 70).norm(DType.F32).turned(0).counts(1, 5, 70))) {
            check(problem, Precision.BF16, level);
            check(problem, Precision.F32, level);
        }
    }

    /** Machine code that has pairs of bfloat16 and no tiles, interpreted, so on every machine. */
    @Test
    void pairsAre() {
        try (Cpu cpu = InterpretedCpu.withPairs(2)) {
            assertThat(cpu.products().inPairs()).isTrue();
            for (AttentionCase problem : List.of(AttentionCase.of(1, 2, 64, 97), AttentionCase.of(1, 1, 24, 33, 20),
                    AttentionCase.cross(1, 1, 40, 35, 530), AttentionCase.of(1, 1, 7, 33),
                    AttentionCase.of(2, 1, 64, 40, 230).norm(DType.F32).turned(0).counts(0, 0, 1).counts(1, 5, 230))) {
                for (DType stored : new DType[] {DType.F32, DType.BF16}) {
                    check(cpu, problem, Precision.BF16, () -> problem.arguments(DType.BF16, stored));
                }
            }
        }
    }

    /** Columns that are kept on the way cost no product; those that are computed later do, and give the same bits. */
    @Test
    void columnsAreKeptOnTheWay() {
        AttentionCase problem = AttentionCase.of(2, 2, 64, 70, 33).counts(0, 20, 70).counts(1, 33, 0);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            try (Cpu cpu = new Cpu(2, precision)) {
                AttentionCase.Arguments arguments = problem.arguments();
                int[] chosen = AttentionLookCase.chosen(103);
                Tensor keys = AttentionCase.integers(IntStream.of(chosen).boxed().toList());
                Tensor columns = Tensor.of(new float[2 * 2 * chosen.length * 103], 2, 2, chosen.length, 103);
                AttentionLook look = new AttentionLook(Tensor.of(new float[2 * 2 * 103], 2, 2, 103), keys, columns,
                        null, null);
                CpuAttention attention = new CpuAttention(cpu);
                boolean tiles = cpu.products().amx() != null;
                long again = tiles ? problem.shape().flops(103, chosen.length) / 2 : 0;
                assertThat(attention.lookAt(problem.shape(), arguments.streams(), look)).isEqualTo(again);
                float[] kept = columns.toArray();
                List<float[]> outputs = arguments.outputs();
                assertThat(attention.keepsOnTheWay(problem.shape(), look)).isEqualTo(!tiles);
                if (!tiles) {
                    List<AttentionStream> inPlace = problem.arguments().streams().stream().map(s ->
                            AttentionStream.of(s.q(), s.k(), s.v(), s.q()).withKeyCounts(s.keyCounts())).toList();
                    attention.lookAt(problem.shape(), inPlace, look);
                    assertThat(columns.toArray()).isEqualTo(kept);
                    AttentionReference.assertSame(inPlace.stream().map(s -> s.out().toArray()).toList(), outputs);
                }
                AttentionCall call = AttentionCall.onCpu(problem.shape(), arguments.streams(), null, DType.F32)
                        .looking(look, true);
                new CpuAttentionLook(cpu, attention).run(call, look);
                assertThat(columns.toArray()).isEqualTo(kept);
            }
        }
    }

    private static void check(AttentionCase problem, Precision precision, CpuLevel level) {
        try (Cpu cpu = new Cpu(2, precision, level)) {
            check(cpu, problem, precision, () -> problem.arguments(input(precision)));
        }
    }

    /** The probabilities of a naive softmax over the q and k that this CPU's attention reads; outputs as without. */
    static void check(Cpu cpu, AttentionCase problem, Precision precision, Supplier<AttentionCase.Arguments> made) {
        CpuAttention attention = new CpuAttention(cpu);
        AttentionCase.Arguments arguments = made.get();
        AttentionLookCase actual = AttentionLookCase.onCpu(attention, problem.shape(), arguments);
        AttentionReference.Rows exact = AttentionReference.rows(problem.shape(), arguments, DType.F32);
        AttentionReference.Rows rounded = rounded(cpu, attention, problem.shape(), arguments);
        actual.check(problem, AttentionReference.probabilities(problem.shape(), arguments,
                (stream, role, b, head, token) -> {
                    double[] row = rounded.of(stream, role, b, head, token);
                    AttentionLookCase.assertRounded(row, exact.of(stream, role, b, head, token), input(precision));
                    return row;
                }));
        AttentionCase.Arguments plain = made.get();
        attention.run(problem.shape(), plain.streams(), null);
        AttentionReference.assertSame(actual.outputs(), plain.outputs());
    }

    /** What the attention itself reads: norms and rotations in float32, rounded for the products. */
    private static AttentionReference.Rows rounded(Cpu cpu, CpuAttention attention, AttentionShape shape,
                                                   AttentionCase.Arguments arguments) {
        AttentionCall call = AttentionCall.onCpu(shape, arguments.streams(), null,
                arguments.streams().getFirst().type());
        int d = shape.headDim();
        if (!cpu.products().inPairs()) {
            float[] row = new float[HeadMath.size(d)];
            return (stream, role, b, head, token) -> {
                HeadMath.begin(stream, role, row, d);
                attention.read(call, stream, role, b * shape.heads() + head, token, row);
                return IntStream.range(0, d).mapToDouble(c -> row[c]).toArray();
            };
        }
        int width = Math.ceilDiv(d, 2 * MachinePairs.SIDE) * 2 * MachinePairs.SIDE;
        short[] row = new short[width];
        HeadRows rows = new HeadRows(cpu);
        rows.begin(call, width);
        return (stream, role, b, head, token) -> {
            rows.read(stream, role, b * shape.heads() + head, token, 1, MemorySegment.ofArray(row), 0, 0);
            return IntStream.range(0, d).mapToDouble(c -> Float.intBitsToFloat(row[c] << 16)).toArray();
        };
    }

    @Test
    void doesNotDependOnTheThreads() {
        AttentionCase problem = AttentionCase.of(2, 3, 64, 70, 33).norm(DType.F32);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            run(problem, precision, 3).assertSame(run(problem, precision, 1));
        }
    }

    private static AttentionLookCase run(AttentionCase problem, Precision precision, int threads) {
        try (Cpu cpu = new Cpu(threads, precision)) {
            return AttentionLookCase.onCpu(new CpuAttention(cpu), problem.shape(), problem.arguments());
        }
    }

    @Test
    void readsBf16WhereItIsStoredSo() {
        AttentionCase problem = AttentionCase.of(1, 2, 64, 70, 33);
        try (Cpu cpu = new Cpu(1, Precision.BF16)) {
            if (!cpu.products().inPairs()) {
                return;
            }
            CpuAttention attention = new CpuAttention(cpu);
            AttentionCase.Arguments arguments = problem.arguments(DType.BF16, DType.BF16);
            AttentionLookCase.onCpu(attention, problem.shape(), arguments).check(problem,
                    AttentionReference.probabilities(problem.shape(), problem.arguments(DType.BF16), DType.BF16));
        }
    }

    @Test
    void namesWhatCannotBeLookedAt() {
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuAttention attention = new CpuAttention(cpu);
            Tensor x = Tensor.of(new float[40], 1, 5, 8);
            Tensor out = Tensor.of(new float[40], 1, 5, 8);
            AttentionShape shape = AttentionShape.of(1, 2, 4);
            AttentionLook look = new AttentionLook(Tensor.of(new float[10], 1, 2, 5), null, null,
                    Tensor.of(new float[10], 1, 2, 5), Tensor.of(new float[10], 1, 2, 5));
            assertThatThrownBy(() -> attention.lookAt(shape, List.of(AttentionStream.of(x, x, x, x)), look))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("out is q");
            assertThatThrownBy(() -> attention.lookAt(shape.withCausal(), List.of(AttentionStream.of(x, x, x, out)),
                    look)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("causal");
            AttentionLook small = new AttentionLook(Tensor.of(new float[8], 1, 2, 4), null, null, null, null);
            assertThatThrownBy(() -> attention.lookAt(shape, List.of(AttentionStream.of(x, x, x, out)), small))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("log sums is F32[1, 2, 4]")
                    .hasMessageContaining("needs F32[1, 2, 5]");
        }
    }
}
