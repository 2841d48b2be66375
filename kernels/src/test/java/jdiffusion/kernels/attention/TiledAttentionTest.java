package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.TileCount;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Attention on AMX's tiles, whose machine code is interpreted, so on every machine. */
class TiledAttentionTest {
    private static final String NO_PAIRS = "no pairs with vectors of this width";

    /** Whole and ragged blocks of keys, odd heads, masks, biases, a norm, several streams. */
    static List<AttentionCase> problems() {
        return List.of(AttentionCase.of(1, 1, 64, 32), AttentionCase.of(1, 1, 7, 1),
                AttentionCase.of(2, 1, 24, 70).causal(), AttentionCase.of(1, 2, 33, 35).biased(),
                AttentionCase.of(1, 1, 64, 20, 193).norm(DType.BF16).silent(1), AttentionCase.of(1, 1, 16, 9, 30),
                AttentionCase.of(1, 1, 32, 300).causal(), AttentionCase.of(1, 2, 72, 257).norm(DType.F32),
                AttentionCase.of(1, 1, 24, 290).scale(1).biased(), AttentionCase.of(1, 1, 24, 70).causal().biased(),
                AttentionCase.of(1, 1, 160, 64), AttentionCase.of(1, 2, 64, 70, 0), AttentionCase.of(1, 1, 32, 256),
                AttentionCase.of(1, 1, 64, 150).spread(100), AttentionCase.cross(2, 2, 64, 70, 77),
                AttentionCase.cross(1, 1, 24, 33, 300).norm(DType.F32), AttentionCase.cross(1, 1, 64, 100, 1),
                AttentionCase.of(1, 1, 32, 40, 20, 35).asking(0).silent(2),
                AttentionCase.of(1, 1, 128, 40, 33).norm(DType.F32).turned(0), AttentionCase.of(1, 1, 256, 65).layerNorm(),
                AttentionCase.of(2, 1, 72, 70).layerNorm().turned(0).counts(0, 64, 0),
                AttentionCase.cross(3, 1, 72, 33, 300).counts(1, 20, 300, 257),
                AttentionCase.of(2, 1, 64, 290).scale(1).biased().counts(0, 20, 258),
                AttentionCase.of(2, 1, 24, 70, 300).counts(0, 1, 70).counts(1, 256, 0),
                AttentionCase.of(2, 1, 32, 300).causal().counts(0, 33, 299));
    }

    @ParameterizedTest
    @MethodSource("problems")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        try (Cpu cpu = InterpretedCpu.withTiles(2)) {
            AttentionReference.assertAsClose(problem.toString(), problem.run(cpu),
                    AttentionReference.naive(problem, Precision.BF16), AttentionReference.exact(problem));
        }
    }

    @ParameterizedTest
    @MethodSource("problems")
    void takesBfloat16(AttentionCase problem) {
        try (Cpu cpu = InterpretedCpu.withTiles(2)) {
            assumeTrue(cpu.products().inPairs(), NO_PAIRS);
            AttentionReference.assertAsClose(problem.toString(),
                    problem.run(cpu, problem.arguments(DType.BF16, DType.BF16)),
                    AttentionReference.naive(problem, DType.BF16), AttentionReference.exact(problem, DType.BF16));
        }
    }

    /** Wherever a head and its queries come among the others, and whoever computes them. */
    @Test
    void resultsDoNotDependOnThreadsOrBatch() {
        AttentionCase problem = AttentionCase.of(2, 2, 32, 45, 300);
        AttentionCase.Arguments arguments = problem.arguments(DType.BF16, DType.BF16);
        List<float[]> one;
        List<float[]> three;
        try (Cpu cpu = InterpretedCpu.withTiles(1); Cpu other = InterpretedCpu.withTiles(3)) {
            one = problem.run(cpu, arguments);
            three = problem.run(other, problem.arguments(DType.BF16, DType.BF16));
            for (int s = 0; s < one.size(); s++) {
                assertThat(three.get(s)).isEqualTo(one.get(s));
            }
            List<AttentionStream> second = arguments.streams().stream().map(stream -> AttentionStream.of(
                    stream.q().slice(1, 2), stream.k().slice(1, 2), stream.v().slice(1, 2), stream.out().slice(1, 2)))
                    .toList();
            new CpuAttention(cpu).run(AttentionShape.of(1, 2, 32), second, null);
            for (int s = 0; s < one.size(); s++) {
                float[] all = one.get(s);
                assertThat(second.get(s).out().toArray())
                        .isEqualTo(Arrays.copyOfRange(all, all.length / 2, all.length));
            }
        }
    }

    /** Those of the design: for 32 queries and 32 keys as many products of tiles as the numbers need. */
    @Test
    void thereAreNoMoreProductsThanNeeded() {
        TileCount count = new TileCount();
        AttentionCase problem = AttentionCase.of(1, 1, 64, 300);
        try (Cpu cpu = InterpretedCpu.withTiles(1, count)) {
            problem.run(cpu, problem.arguments(DType.BF16, DType.BF16));
        }
        long blocks = 10 * 10;
        assertThat(count.products()).isEqualTo(blocks * (4 * 2 + 4 * 2));
        // Four operands for each four products, and sums of values are read and stored for each chunk of keys.
        assertThat(count.loads()).isEqualTo(count.products() + 10 * 2 * 2 * 4);
        assertThat(count.stores()).isEqualTo(blocks * 4 + 10 * 2 * 2 * 4);
    }

    /** The interpreter and the CPU that it stands for. */
    @ParameterizedTest
    @MethodSource("problems")
    void tilesOfTheCpuGiveTheSameBits(AttentionCase problem) {
        Levels.assume(CpuLevel.AMX);
        for (DType stored : new DType[] {DType.F32, DType.BF16}) {
            List<float[]> run;
            List<float[]> interpreted;
            try (Cpu cpu = new Cpu(2, Precision.BF16, CpuLevel.AMX); Cpu stand = InterpretedCpu.withTiles(1)) {
                assumeTrue(stored == DType.F32 || cpu.products().inPairs(), NO_PAIRS);
                run = problem.run(cpu, problem.arguments(stored, stored));
                interpreted = problem.run(stand, problem.arguments(stored, stored));
            }
            for (int s = 0; s < run.size(); s++) {
                assertThat(run.get(s)).isEqualTo(interpreted.get(s));
            }
        }
    }
}
