package jdiffusion.model.vae;

import java.util.stream.IntStream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** relu(x + conv(relu(conv(relu(conv(x)))))), all of one width. */
record TaesdBlock(Conv2d first, Conv2d second, Conv2d third) {
    static final Epilogue RELU = Epilogue.activate(Activation.RELU);
    /** Of the convolutions; the activations between them count too. */
    private static final int[] LAYERS = {0, 2, 4};

    static TaesdBlock load(Weights w, int width) {
        return new TaesdBlock(conv(w, 0, width), conv(w, 1, width), conv(w, 2, width));
    }

    private static Conv2d conv(Weights w, int i, int width) {
        return Conv2d.load(w.at("conv", LAYERS[i]), width, width, 3);
    }

    /** Whether there is anything of a block. */
    static boolean isIn(Weights w) {
        return IntStream.of(LAYERS).anyMatch(i -> w.has("conv." + i + ".weight") || w.has("conv." + i + ".bias"));
    }

    /** Updates x [batch, h, w, width] in place. */
    void apply(Compute compute, Tensor x) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        try (var _ = w.scope()) {
            Tensor a = w.wideOperand(x.shape().dims());
            Tensor b = w.wideOperand(x.shape().dims());
            first.apply(backend, x, RELU, a);
            second.apply(backend, a, RELU, b);
            third.apply(backend, b, Epilogue.ADD, x);
            backend.activate(Activation.RELU, x, x);
        }
    }
}
