package jdiffusion.kernels.groupnorm;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** What test and benchmark run: image sizes, groups, parameters or not, mean of the input. */
enum GroupNormCase {
    ONE_PIXEL(1, 1, 1, 10, 2, true, 0, Activation.NONE),
    ONE_CHANNEL(2, 5, 7, 1, 1, false, 0, Activation.SILU),
    GROUPS_OF_5(3, 9, 13, 15, 3, true, 0, Activation.GELU_ERF),
    GROUPS_OF_4(1, 37, 41, 128, 32, true, 1, Activation.SILU),
    GROUPS_OF_16(2, 19, 23, 512, 32, true, 0, Activation.SILU),
    RAGGED_63(2, 50, 50, 63, 7, false, 0, Activation.NONE),
    RAGGED_65(1, 61, 67, 65, 5, true, 0, Activation.QUICK_GELU),
    WIDER_THAN_A_CHUNK(2, 7, 5, 2500, 5, true, 0, Activation.GELU_TANH),
    FAR_FROM_ZERO(1, 61, 67, 64, 16, true, 1e4, Activation.NONE),
    VAE_MIDDLE(1, 128, 128, 512, 32, true, 0, Activation.SILU),
    VAE_LAST(1, 1024, 1024, 128, 32, true, 0, Activation.SILU);

    final int batch;
    final int height;
    final int width;
    final int c;
    final int groups;
    final Activation activation;
    final Tensor weight;
    final Tensor bias;
    private final double mean;

    GroupNormCase(int batch, int height, int width, int c, int groups, boolean parameters, double mean,
                  Activation activation) {
        this.batch = batch;
        this.height = height;
        this.width = width;
        this.c = c;
        this.groups = groups;
        this.mean = mean;
        this.activation = activation;
        this.weight = parameters ? Samples.stored(DType.BF16, Samples.normal(1, c, 1, 0.3), c) : null;
        this.bias = parameters ? Samples.stored(DType.F16, Samples.normal(2, c, 0, 0.3), c) : null;
    }

    int[] dims() {
        return new int[] {batch, height, width, c};
    }

    int size() {
        return batch * height * width * c;
    }

    float[] x() {
        return Samples.normal(3, size(), mean, 1.5);
    }

    GroupNormShape shape() {
        return new GroupNormShape(batch, height * width, c, groups);
    }
}
