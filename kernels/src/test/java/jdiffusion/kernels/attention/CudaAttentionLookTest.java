package jdiffusion.kernels.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every variant of the attention, looked at, against a naive softmax. */
@OnDevice
class CudaAttentionLookTest {
    private static TestDevice device;

    @BeforeAll
    static void open() {
        device = TestDevice.open();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    @AfterAll
    static void close() {
        device.close();
    }

    static Stream<AttentionCase> cases() {
        return AttentionLookCase.cases().stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isANaiveSoftmax(AttentionCase problem) {
        check(problem, DType.BF16);
    }

    static Stream<AttentionCase> float16() {
        return Stream.of(AttentionCase.of(1, 2, 64, 40, 33), AttentionCase.of(1, 1, 7, 40));
    }

    @ParameterizedTest
    @MethodSource("float16")
    void takesFloat16(AttentionCase problem) {
        check(problem, DType.F16);
    }

    private static void check(AttentionCase problem, DType type) {
        AttentionShape shape = problem.shape();
        AttentionCase.Arguments arguments = problem.arguments(type);
        List<AttentionStream> looked = streams(arguments, type);
        int queries = looked.stream().mapToInt(AttentionStream::queries).sum();
        int keys = looked.stream().mapToInt(AttentionStream::keys).sum();
        int[] chosen = AttentionLookCase.chosen(keys);
        int batch = shape.batch();
        int heads = shape.heads();
        AttentionLook look = new AttentionLook(device.empty(DType.F32, batch, heads, queries),
                device.put(AttentionCase.integers(Arrays.stream(chosen).boxed().toList())),
                device.empty(DType.F32, batch, heads, chosen.length, queries),
                device.empty(DType.F32, batch, heads, keys), device.empty(DType.F32, batch, heads, queries));
        CudaAttention attention = new CudaAttention(device.cuda());
        attention.lookAt(shape, looked, look);
        AttentionLookCase actual = new AttentionLookCase(queries, keys, chosen, device.get(look.columns()),
                device.get(look.mass()), device.get(look.entropy()), outputs(looked));
        Read read = new Read(shape, arguments, looked, new IdentityHashMap<>());
        AttentionReference.Rows exact = AttentionReference.rows(shape, arguments, DType.F32);
        actual.check(problem, AttentionReference.probabilities(shape, arguments, (stream, role, b, head, token) -> {
            double[] row = read.of(stream, role, b, head, token);
            AttentionLookCase.assertRounded(row, exact.of(stream, role, b, head, token), type);
            return row;
        }));
        List<AttentionStream> plain = streams(arguments, type);
        attention.run(shape, plain, null);
        AttentionReference.assertSame(actual.outputs(), outputs(plain));
    }

    /** The rows that products read: q and k are normalised and turned before the kernel, where they lie. */
    private record Read(AttentionShape shape, AttentionCase.Arguments arguments, List<AttentionStream> looked,
                        Map<Tensor, float[]> copies) implements AttentionReference.Rows {
        @Override
        public double[] of(AttentionStream stream, Role role, int b, int head, int token) {
            Tensor tensor = role.of(looked.get(arguments.streams().indexOf(stream)));
            float[] values = copies.computeIfAbsent(tensor, device::get);
            int d = shape.headDim();
            int at = (b * tensor.shape().dim(1) + token) * tensor.cols() + head * d;
            return IntStream.range(at, at + d).mapToDouble(i -> values[i]).toArray();
        }
    }

    private static List<AttentionStream> streams(AttentionCase.Arguments arguments, DType type) {
        List<AttentionStream> streams = new ArrayList<>();
        for (AttentionStream s : arguments.streams()) {
            Tensor q = put(s.q(), type);
            streams.add(AttentionStream.of(q, put(s.k(), type), put(s.v(), type), put(s.q(), type))
                    .withNorms(put(s.qNorm()), put(s.kNorm())).withRotary(put(s.rotary()))
                    .withKeyCounts(put(s.keyCounts())));
        }
        return streams;
    }

    private static Tensor put(Tensor hostOrNull, DType type) {
        return hostOrNull == null ? null : device.put(type, hostOrNull.toArray(), hostOrNull.shape().dims());
    }

    private static Tensor put(Tensor hostOrNull) {
        return hostOrNull == null ? null : device.put(hostOrNull);
    }

    private static List<float[]> outputs(List<AttentionStream> streams) {
        return streams.stream().filter(s -> s.out() != null).map(s -> device.get(s.out())).toList();
    }
}
