package jdiffusion.kernels.conv2d;

import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Operands;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * A convolution of images [batch, height, width, cin] with [cout, cin, kernel, kernel], channels last.
 *
 * @param kernel     side of the square kernel
 * @param stride     step between outputs, both ways
 * @param padLow     zeros before the first row and column
 * @param padHigh    zeros after the last row and column; the VAE encoder's downsampling pads here only
 */
public record Conv2dShape(int batch, int height, int width, int cin, int cout, int kernel, int stride, int padLow,
                          int padHigh) {
    public Conv2dShape {
        if (batch < 1 || height < 1 || width < 1 || cin < 1 || cout < 1 || kernel < 1 || stride < 1 || padLow < 0
                || padHigh < 0 || height + padLow + padHigh < kernel || width + padLow + padHigh < kernel) {
            throw new IllegalArgumentException("conv2d of [" + batch + ", " + height + ", " + width + ", " + cin
                    + "] by " + cout + " kernels of side " + kernel + ", stride " + stride + ", padding " + padLow
                    + " and " + padHigh);
        }
    }

    /** Stride 1 and the padding that keeps the size (odd kernels). */
    public static Conv2dShape same(int batch, int height, int width, int cin, int cout, int kernel) {
        return new Conv2dShape(batch, height, width, cin, cout, kernel, 1, kernel / 2, kernel / 2);
    }

    /** That of one image of the batch. */
    Conv2dShape single() {
        return new Conv2dShape(1, height, width, cin, cout, kernel, stride, padLow, padHigh);
    }

    public int outHeight() {
        return (height + padLow + padHigh - kernel) / stride + 1;
    }

    public int outWidth() {
        return (width + padLow + padHigh - kernel) / stride + 1;
    }

    public long flops() {
        return 2L * batch * outHeight() * outWidth() * cout * cin * kernel * kernel;
    }

    /** Checks what a convolution of this shape is given: see {@link jdiffusion.kernels.Backend#conv2d}. */
    public void check(Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        require(x, "input", Operands.isActivation(x), Shape.of(batch, height, width, cin));
        checkAllButInput(weight, bias, epilogue, out);
    }

    void checkAllButInput(Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        require(out, "output", Operands.isActivation(out), Shape.of(batch, outHeight(), outWidth(), cout));
        require(weight, "weight", weight.type().isFloat(), Shape.of(cout, cin, kernel, kernel));
        if (bias != null) {
            require(bias, "bias", bias.type().isFloat(), hasBiasForEachImage(bias) ? Shape.of(batch, cout)
                    : Shape.of(cout));
        }
        if (epilogue.mode() == Epilogue.Mode.MULTIPLY || epilogue.gate() != null) {
            throw new IllegalArgumentException("conv2d: epilogue " + epilogue + " is not STORE or ADD without a gate");
        }
        if (!weight.isContiguous()) {
            throw new IllegalArgumentException("conv2d: the weight " + weight.shape() + " has gaps between rows");
        }
    }

    /** Whether a bias, or null, is [batch, cout] and not [cout]. */
    static boolean hasBiasForEachImage(Tensor bias) {
        return bias != null && bias.shape().rank() == 2;
    }

    /** [cout], the bias of an image; null for none. */
    static Tensor biasOf(Tensor bias, int image) {
        return hasBiasForEachImage(bias) ? bias.at(image) : bias;
    }

    private void require(Tensor tensor, String name, boolean typeFits, Shape wanted) {
        if (!typeFits || !tensor.shape().equals(wanted)) {
            throw new IllegalArgumentException("conv2d: " + name + " " + tensor.type() + tensor.shape()
                    + " does not fit " + wanted + " of " + this);
        }
    }
}
