package jdiffusion.kernels.join;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.kernels.HostForm;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class JoinTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuJoin join = new CpuJoin(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    /** The large ones in several items of work. */
    @ParameterizedTest
    @EnumSource
    void oneBehindTheOther(JoinCase k) {
        float[] a = Samples.normal(1, (long) k.pixels() * k.a, 0, 1);
        float[] b = Samples.normal(2, (long) k.pixels() * k.b, 0, 1);
        Tensor out = Samples.view(new float[k.pixels() * (k.a + k.b)], k.batch, k.h, k.w, k.a + k.b);
        join.run(Samples.view(a, k.batch, k.h, k.w, k.a), Samples.view(b, k.batch, k.h, k.w, k.b), out);
        assertThat(out.toArray()).isEqualTo(JoinReference.run(a, b, k));
        Samples.assertGapsUntouched(out);
    }

    static Stream<Arguments> casesInNarrowForms() {
        Set<JoinCase> large = EnumSet.of(JoinCase.UNET_FIRST, JoinCase.UNET_LAST);
        return HostForm.with(EnumSet.complementOf(EnumSet.copyOf(large)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(JoinCase k, HostForm form) {
        float[] a = Samples.normal(1, (long) k.pixels() * k.a, 0, 1);
        float[] b = Samples.normal(2, (long) k.pixels() * k.b, 0, 1);
        Tensor out = form.output(k.batch, k.h, k.w, k.a + k.b);
        join.run(form.input(a, k.batch, k.h, k.w, k.a), form.input(b, k.batch, k.h, k.w, k.b), out);
        form.assertWritten(out, Tensor.of(JoinReference.run(form.read(a), form.read(b), k), k.batch, k.h, k.w,
                k.a + k.b));
    }

    @Test
    void typesMayDiffer() {
        float[] a = {1, 2, 3, 4};
        Tensor out = Tensor.of(new float[6], 2, 3);
        join.run(Samples.stored(DType.BF16, a, 2, 2), Tensor.of(new float[] {5, 6}, 2, 1), out);
        assertThat(out.toArray()).containsExactly(1, 2, 5, 3, 4, 6);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor a = Tensor.of(new float[12], 1, 2, 2, 3);
        Tensor b = Tensor.of(new float[8], 1, 2, 2, 2);
        Tensor out = Tensor.of(new float[20], 1, 2, 2, 5);
        refuse(a, a, out, "joinChannels", "[1, 2, 2, 3]", "[1, 2, 2, 5]");
        refuse(a.reshape(4, 3), b, out, "[4, 3]", "[1, 2, 2, 5]");
        refuse(a.reshape(2, 1, 2, 3), b, out, "[2, 1, 2, 3]", "[1, 2, 2, 5]");
        refuse(a, b.reshape(1, 1, 4, 2), out, "[1, 1, 4, 2]", "[1, 2, 2, 5]");
        refuse(a, Samples.stored(DType.F16, new float[8], 1, 2, 2, 2), out, "bfloat16", "F16[1, 2, 2, 2]");
    }

    private void refuse(Tensor a, Tensor b, Tensor out, String... says) {
        assertThatIllegalArgumentException().isThrownBy(() -> join.run(a, b, out)).withMessageContainingAll(says);
    }
}
