package jdiffusion.kernels.modulate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.EnumSet;
import java.util.stream.Stream;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.DeviceTest;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class CudaModulateTest extends DeviceTest {
    private CudaModulate modulate;

    @BeforeEach
    void create() {
        modulate = new CudaModulate(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(ModulateCase.AURAFLOW)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void followsTheFormulaToTheBit(ModulateCase k, Form form) {
        Tensor out = form.output(k.rows, k.c);
        modulate.run(form.input(k.x(), k.rows, k.c), device.put(k.scale()), device.put(k.shift()), out);
        assertThat(result(out))
                .isEqualTo(form.written(ModulateReference.naive(form.read(k.x()), k.c, k.scale(), k.shift())));
    }

    @ParameterizedTest
    @EnumSource(names = {"RAGGED_64", "RAGGED_65", "MANY_ROWS"})
    void mayWriteOverX(ModulateCase k) {
        Tensor x = device.put(Samples.view(DType.F32, 4, k.x(), k.rows, k.c));
        modulate.run(x, device.put(k.scale()), device.put(k.shift()), x);
        assertThat(result(x)).isEqualTo(ModulateReference.naive(k.x(), k.c, k.scale(), k.shift()));
    }

    @Test
    void noRowsAreNothingToDo() {
        Tensor none = device.empty(DType.F32, 0, 4);
        Tensor one = device.empty(DType.F32, 1, 4);
        modulate.run(none, one, one, none);
    }

    @Test
    void wrongOperandsAreNamed() {
        Tensor x = device.empty(DType.BF16, 6, 4);
        Tensor narrow = device.empty(DType.BF16, 2, 4);
        Tensor four = device.empty(DType.F32, 4, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, narrow, narrow, x))
                .withMessageContainingAll("modulate", "float32", "BF16[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> modulate.run(x, four, four, x))
                .withMessageContainingAll("modulate", "[6, 4]", "[4, 4]");
    }
}
