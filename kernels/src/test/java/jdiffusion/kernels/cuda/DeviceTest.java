package jdiffusion.kernels.cuda;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;

/** A test of kernels for which one device is open, and the forms in which their tensors may come. */
@OnDevice
public abstract class DeviceTest {
    protected static TestDevice device;

    /**
     * @param in  type of activations read
     * @param out type of activations written
     * @param gap columns of NaN on either side of a tensor's own: with 4 a kernel can read runs of four wherever the
     *            rows are that long, with 1 it cannot, and with 0 rows lie side by side
     */
    public record Form(DType in, DType out, int gap) {
        public static final List<Form> ALL = List.of(new Form(DType.F32, DType.F32, 0),
                new Form(DType.F32, DType.BF16, 4), new Form(DType.BF16, DType.F16, 1),
                new Form(DType.F16, DType.BF16, 0), new Form(DType.BF16, DType.F32, 4));

        /** The values as read: rounded to the type. */
        public float[] read(float[] values) {
            return Samples.rounded(in, values);
        }

        public float[] written(float[] values) {
            return Samples.rounded(out, values);
        }

        public Tensor input(float[] values, int... dims) {
            return device.put(Samples.view(in, gap, values, dims));
        }

        /** NaN all over. */
        public Tensor output(int... dims) {
            float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
            Arrays.fill(values, Float.NaN);
            return device.put(Samples.view(out, gap, values, dims));
        }
    }

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

    /** What a kernel wrote, after a look at the gaps between the rows. */
    protected static float[] result(Tensor out) {
        Tensor host = device.fetch(out);
        Samples.assertGapsUntouched(host);
        return host.toArray();
    }
}
