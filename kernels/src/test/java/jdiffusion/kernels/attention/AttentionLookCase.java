package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * What an attention keeps of its probabilities, as arrays: of each pair and chosen key, of each pair and key, of each
 * pair and query.
 *
 * @param outputs of the asking streams
 */
record AttentionLookCase(int queries, int keyCount, int[] keys, float[] columns, float[] mass, float[] entropy,
                         List<float[]> outputs) {
    /** Every fifth key, in falling order, one twice, and one that is none. */
    static int[] chosen(int keys) {
        List<Integer> chosen = new ArrayList<>(List.of(0, keys - 1, keys));
        for (int i = keys - 1; i >= 0; i -= 5) {
            chosen.add(i);
        }
        return chosen.stream().mapToInt(i -> i).toArray();
    }

    /** Norms, positions, missing keys, joined and crossed streams, of sizes around blocks. */
    static List<AttentionCase> cases() {
        return List.of(
                AttentionCase.of(1, 2, 64, 97),
                AttentionCase.of(2, 2, 64, 64, 77).norm(DType.F32),
                AttentionCase.of(1, 2, 24, 130).spread(8),
                AttentionCase.of(1, 3, 7, 33),
                AttentionCase.of(1, 1, 128, 100, 33).norm(DType.BF16).turned(0),
                AttentionCase.of(1, 1, 72, 50, 20).norm(DType.F32).turned(0, 1).silent(1),
                AttentionCase.of(1, 1, 256, 60, 37).layerNorm(),
                AttentionCase.of(2, 1, 64, 40, 230).counts(0, 0, 1).counts(1, 0, 230),
                AttentionCase.cross(2, 2, 72, 150, 300).counts(1, 20, 300),
                AttentionCase.cross(1, 2, 40, 33, 1),
                AttentionCase.of(1, 1, 512, 40));
    }

    /**
     * A row of q or k that products read is the exact one, rounded: by half a unit of the last bit of a 16-bit type at
     * most, and by a few roundings of float32.
     */
    static void assertRounded(double[] row, double[] exact, DType type) {
        double most = Arrays.stream(exact).map(Math::abs).max().orElse(0);
        double unit = type == DType.BF16 ? 0x1p-8 : type == DType.F16 ? 0x1p-11 : 0;
        for (int c = 0; c < row.length; c++) {
            if (!(Math.abs(row[c] - exact[c]) <= unit * Math.abs(exact[c]) + 1e-5 * most)) {
                fail("channel " + c + " is " + row[c] + " in place of " + exact[c]);
            }
        }
    }

    /** Compares with a naive softmax over the same rounded q and k. */
    void check(AttentionCase problem, double[][][] expected) {
        double tolerance = 1e-5;
        int pairs = expected.length;
        for (int pair = 0; pair < pairs; pair++) {
            double[] sums = new double[keyCount];
            for (int query = 0; query < queries; query++) {
                double entropies = 0;
                for (int key = 0; key < keyCount; key++) {
                    double p = expected[pair][query][key];
                    sums[key] += p;
                    entropies -= p == 0 ? 0 : p * Math.log(p);
                }
                for (int j = 0; j < keys.length; j++) {
                    double p = keys[j] < keyCount ? expected[pair][query][keys[j]] : 0;
                    assertThat((double) columns[(pair * keys.length + j) * queries + query])
                            .as("%s, pair %d, query %d, key %d", problem, pair, query, keys[j])
                            .isCloseTo(p, within(tolerance));
                }
                assertThat((double) entropy[pair * queries + query]).as("%s, entropy of query %d", problem, query)
                        .isCloseTo(entropies, within(10 * tolerance));
            }
            for (int key = 0; key < keyCount; key++) {
                assertThat((double) mass[pair * keyCount + key]).as("%s, mass of key %d", problem, key)
                        .isCloseTo(sums[key], within(tolerance * Math.max(1, queries / 10)));
            }
        }
    }

    /** All bits are the same. */
    void assertSame(AttentionLookCase other) {
        AttentionReference.assertSame(List.of(columns, mass, entropy), List.of(other.columns, other.mass,
                other.entropy));
        AttentionReference.assertSame(outputs, other.outputs);
    }

    /** On the CPU. */
    static AttentionLookCase onCpu(CpuAttention attention, AttentionShape shape, AttentionCase.Arguments arguments) {
        int queries = arguments.streams().stream().mapToInt(AttentionStream::queries).sum();
        int keyCount = arguments.streams().stream().mapToInt(AttentionStream::keys).sum();
        int[] chosen = chosen(keyCount);
        int batch = shape.batch();
        int heads = shape.heads();
        Tensor keys = Tensor.of(MemorySegment.ofArray(chosen), DType.I32,
                Shape.of(chosen.length));
        AttentionLook look = new AttentionLook(empty(batch, heads, queries), keys,
                empty(batch, heads, chosen.length, queries), empty(batch, heads, keyCount),
                empty(batch, heads, queries));
        attention.lookAt(shape, arguments.streams(), look);
        return new AttentionLookCase(queries, keyCount, chosen, look.columns().toArray(), look.mass().toArray(),
                look.entropy().toArray(), arguments.outputs());
    }

    private static Tensor empty(int... dims) {
        int size = 1;
        for (int dim : dims) {
            size *= dim;
        }
        float[] values = new float[size];
        Arrays.fill(values, Float.NaN);
        return Tensor.of(values, dims);
    }
}
