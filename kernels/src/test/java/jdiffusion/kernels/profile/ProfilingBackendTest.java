package jdiffusion.kernels.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Scope;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whether all operations reach the measured backend as they are, and are recorded where they belong. */
class ProfilingBackendTest {
    private record Call(String name, List<Object> arguments) {
    }

    private final List<Call> calls = new ArrayList<>();

    /** Does nothing but note its calls; fails in blend. */
    private final Backend stub = (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class}, (self, method, arguments) -> {
        if (method.getName().equals("clock")) {
            return InvocationHandler.invokeDefault(self, method);
        }
        calls.add(new Call(method.getName(), arguments == null ? List.of() : Arrays.asList(arguments)));
        if (method.getName().equals("blend")) {
            throw new IllegalArgumentException("no");
        }
        return method.getReturnType() == long.class ? 0L : null;
    });
    private final ProfilingBackend profiling = new ProfilingBackend(stub);

    static Stream<Method> operations() {
        Set<String> others = Set.of("close", "finish", "blend");
        return Arrays.stream(Backend.class.getMethods()).filter(method -> !others.contains(method.getName())
                && (method.getReturnType() == void.class || method.getName().equals("lookAtAttention"))
                && !(method.getName().equals("linear") && method.getParameterCount() > 1));
    }

    private static Object argument(Class<?> type, Method method) {
        Tensor tensor = Tensor.of(new float[24], 1, 2, 3, 4);
        if (type == Tensor.class) {
            return tensor;
        }
        if (type == List.class) {
            return switch (method.getName()) {
                case "linear" -> List.of(new LinearCall(Tensor.of(new float[6], 2, 3),
                        Weight.of(Tensor.of(new float[6], 2, 3)), null, Epilogue.STORE, Tensor.of(new float[4], 2, 2)));
                case "combine" -> List.of(tensor, tensor);
                default -> List.of();
            };
        }
        return type == int.class ? (Object) 1 : type == float.class ? (Object) 0.5f : type == boolean.class ? true
                : type == float[].class ? new float[24] : type == int[].class ? new int[24]
                : type == Epilogue.class ? Epilogue.STORE : type == Activation.class ? Activation.SILU
                : type == AttentionShape.class ? AttentionShape.of(1, 2, 3)
                : type == AttentionLook.class ? new AttentionLook(tensor, null, null, null, null)
                : type == GroupNormCall.class ? new GroupNormCall(1, tensor, tensor, 0, Activation.SILU)
                : type == Weight.class ? Weight.of(Tensor.of(new float[6], 2, 3))
                : type == Workspace.class ? Workspace.onHost(64)
                : type == Conv2dShape.class ? Conv2dShape.same(1, 2, 3, 4, 4, 1) : null;
    }

    /** Its shapes differ from each other. */
    private static Object[] upsampled() {
        return new Object[] {Tensor.of(new float[6], 1, 2, 3, 1), Tensor.of(new float[18], 2, 1, 3, 3),
            Tensor.of(new float[2], 2), Tensor.of(new float[48], 1, 4, 6, 2), Workspace.onHost(64)};
    }

    @ParameterizedTest
    @MethodSource("operations")
    void isPassedOnAndRecorded(Method method) throws ReflectiveOperationException {
        Object[] arguments = method.getName().equals("upsampledConv2d") ? upsampled()
                : Arrays.stream(method.getParameterTypes()).map(type -> argument(type, method)).toArray();
        assertThat(arguments).doesNotContainNull();
        method.invoke(profiling, arguments);
        assertThat(calls.stream().map(Call::name)).containsExactly("finish", method.getName(), "finish");
        assertThat(calls.get(1).arguments()).isEqualTo(Arrays.asList(arguments));
        assertThat(profiling.profile().events()).singleElement()
                .satisfies(event -> assertThat(event.operation().kind()).isEqualTo(method.getName()))
                .satisfies(event -> assertThat(event.operation().bytes() > 0 || method.getName().equals("attention"))
                        .isTrue());
    }

    @Test
    void belongsToTheInnermostScope() {
        Tensor x = Tensor.of(new float[2], 2);
        try (Scope _ = profiling.scope("transformer")) {
            try (Scope _ = profiling.scope(Scope.STEP, 3)) {
                profiling.activate(Activation.SILU, x, x);
                try (Scope _ = profiling.scope("blocks", 5)) {
                    profiling.activate(Activation.SILU, x, x);
                }
            }
            profiling.activate(Activation.SILU, x, x);
        }
        profiling.activate(Activation.SILU, x, x);
        assertThat(profiling.profile().spans().stream().map(Span::label))
                .containsExactly("transformer", "step 3", "blocks.5");
        assertThat(profiling.profile().events().stream().map(event -> event.span() == null ? "" : event.span().label()))
                .containsExactly("step 3", "blocks.5", "transformer", "");
        assertThat(profiling.profile().spans()).allMatch(span -> span.end() >= span.start());
    }

    @Test
    void aFailureClosesItsScopesAndIsNotRecorded() {
        Tensor x = Tensor.of(new float[2], 2);
        assertThatThrownBy(() -> {
            try (Scope _ = profiling.scope("one"); Scope _ = profiling.scope("two")) {
                profiling.blend(x, x, x, x);
            }
        }).isInstanceOf(IllegalArgumentException.class).hasMessage("no");
        assertThat(profiling.profile().events()).isEmpty();
        assertThat(profiling.profile().spans()).hasSize(2).allMatch(span -> span.end() >= span.start());
        profiling.activate(Activation.SILU, x, x);
        assertThat(profiling.profile().events().getFirst().span()).isNull();
    }

    @Test
    void aSummaryAddsUpStepsAndEqualShapes() {
        Tensor x = Tensor.of(new float[6], 2, 3);
        Weight w = Weight.of(TestMatrix.of(3, 3));
        for (int step = 0; step < 4; step++) {
            try (Scope _ = profiling.scope("transformer"); Scope _ = profiling.scope(Scope.STEP, step)) {
                for (int block = 0; block < 2; block++) {
                    try (Scope _ = profiling.scope("blocks", block)) {
                        profiling.linear(x, w, null, block == 0 ? Epilogue.STORE : Epilogue.ADD,
                                Tensor.of(new float[6], 2, 3));
                    }
                }
                profiling.activate(Activation.SILU, x, x);
            }
        }
        ProfileSummary summary = ProfileSummary.of(profiling.profile(), 1_000_000_000, 1e9);
        assertThat(summary.operations()).extracting(ProfileSummary.Work::kind, ProfileSummary.Work::count,
                ProfileSummary.Work::flops).containsExactlyInAnyOrder(
                        tuple("linear", 8, 8 * 36.0),
                        tuple("activate", 4, 0.0));
        assertThat(summary.stages()).singleElement().satisfies(stage -> {
            assertThat(stage.count()).isEqualTo(4);
            assertThat(stage.parts().stream().map(part -> part.name() + part.index() + " " + part.count()))
                    .containsExactly("-1 4", "step-1 4", "blocks0 4", "blocks1 4");
            assertThat(stage.parts().stream().mapToDouble(ProfileSummary.Part::seconds).sum())
                    .isCloseTo(stage.seconds(), within(1e-9));
        });
        assertThat(summary.seconds(true) + summary.seconds(false)).isLessThanOrEqualTo(
                summary.stages().getFirst().seconds());
    }

    /** A matrix of zeros in bfloat16. */
    private static final class TestMatrix {
        static Tensor of(int rows, int cols) {
            return Tensor.of(MemorySegment.ofArray(new byte[2 * rows * cols]), DType.BF16,
                    Shape.of(rows, cols));
        }
    }
}
