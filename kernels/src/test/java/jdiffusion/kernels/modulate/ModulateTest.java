package jdiffusion.kernels.modulate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.EnumSet;
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

class ModulateTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuModulate modulate = new CpuModulate(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "AURAFLOW")
    void followsTheFormulaToTheBit(ModulateCase k) {
        float[] x = k.x();
        Tensor out = Samples.view(new float[x.length], k.rows, k.c);
        modulate.run(Samples.view(x, k.rows, k.c), k.scale(), k.shift(), out);
        assertThat(out.toArray()).isEqualTo(ModulateReference.naive(x, k.c, k.scale(), k.shift()));
        Samples.assertGapsUntouched(out);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "AURAFLOW")
    void neitherThreadsNorLayoutNorAliasingChangeABit(ModulateCase k) {
        Tensor inPlace = Samples.view(k.x(), k.rows, k.c);
        modulate.run(inPlace, k.scale(), k.shift(), inPlace);
        Tensor out = Tensor.of(new float[k.rows * k.c], k.rows, k.c);
        try (Cpu one = new Cpu(1, Precision.F32)) {
            new CpuModulate(one).run(Tensor.of(k.x(), k.rows, k.c), k.scale(), k.shift(), out);
        }
        assertThat(out.toArray()).isEqualTo(inPlace.toArray());
    }

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(EnumSet.complementOf(EnumSet.of(ModulateCase.AURAFLOW)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(ModulateCase k, HostForm form) {
        Tensor want = Tensor.of(form.read(k.x()), k.rows, k.c);
        modulate.run(want, k.scale(), k.shift(), want);
        Tensor out = form.output(k.rows, k.c);
        modulate.run(form.input(k.x(), k.rows, k.c), k.scale(), k.shift(), out);
        form.assertWritten(out, want);
    }

    @Test
    void anEntryDoesNotDependOnItsNeighboursInTheBatch() {
        ModulateCase k = ModulateCase.RAGGED_65;
        Tensor all = Tensor.of(k.x(), k.rows, k.c);
        modulate.run(all, k.scale(), k.shift(), all);
        int from = 2 * k.rows / k.batch;
        Tensor last = Tensor.of(k.x(), k.rows, k.c).slice(from, k.rows);
        modulate.run(last, k.scale().slice(2, 3), k.shift().slice(2, 3), last);
        assertThat(last.toArray()).isEqualTo(Arrays.copyOfRange(all.toArray(), from * k.c, k.rows * k.c));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[12], 3, 4);
        Tensor one = Tensor.of(new float[4], 1, 4);
        Tensor two = Tensor.of(new float[8], 2, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, one, one, two))
                .withMessageContainingAll("modulate", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, two, two, x))
                .withMessageContainingAll("modulate", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, one, two, x))
                .withMessageContainingAll("modulate", "[1, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, one, null, x))
                .withMessageContainingAll("modulate", "[1, 4]", "null");
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(Samples.ids(1), one, one, x))
                .withMessageContainingAll("modulate", "I32");
        Tensor narrow = Samples.stored(DType.BF16, new float[4], 1, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, narrow, narrow, x))
                .withMessageContainingAll("modulate", "float32", "BF16[1, 4]");
        Tensor half = Samples.stored(DType.F16, new float[12], 3, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, one, one, half))
                .withMessageContainingAll("modulate", "bfloat16", "F16[3, 4]");
    }
}
