package jdiffusion.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.params.provider.Arguments;

/**
 * In what form the CPU takes activations of which some are bfloat16: results are those of float32 from the same
 * values, then rounded.
 *
 * @param in  type of activations read
 * @param out type of activations written
 * @param gap columns of NaN on either side of a tensor's own
 */
public record HostForm(DType in, DType out, int gap) {
    public static final List<HostForm> NARROW = List.of(new HostForm(DType.F32, DType.BF16, 0),
            new HostForm(DType.F32, DType.BF16, 3), new HostForm(DType.BF16, DType.F32, 3),
            new HostForm(DType.BF16, DType.BF16, 0), new HostForm(DType.BF16, DType.BF16, 3));

    /** Every case in every form. */
    public static Stream<Arguments> with(Stream<?> cases) {
        return cases.flatMap(k -> NARROW.stream().map(form -> Arguments.of(k, form)));
    }

    /** The values as read: rounded to the type. */
    public float[] read(float[] values) {
        return Samples.rounded(in, values);
    }

    public Tensor input(float[] values, int... dims) {
        return Samples.view(in, gap, values, dims);
    }

    /** NaN all over. */
    public Tensor output(int... dims) {
        float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
        Arrays.fill(values, Float.NaN);
        return Samples.view(out, gap, values, dims);
    }

    /** What was written is these values as the type stores them, and the gaps are as they were. */
    public void assertWritten(Tensor actual, Tensor float32) {
        assertThat(actual.toArray()).isEqualTo(Samples.rounded(out, float32.toArray()));
        Samples.assertGapsUntouched(actual);
    }
}
