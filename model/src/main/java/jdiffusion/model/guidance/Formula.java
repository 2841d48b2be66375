package jdiffusion.model.guidance;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * What takes the place of u + g (c - u), where u is the prediction without the prompt, c that with it, and g the
 * guidance scale. Sums over a prediction are taken on the host, for each image by itself and in a fixed order.
 */
public sealed interface Formula extends Guider permits CfgZero, Apg, Tangential, MagnitudeAware, FrequencyDecoupled {
    /** Made ready for one size and batch: {@link #apply} allocates nothing. */
    interface Run {
        /** A draw begins: what was kept of the last one is forgotten. */
        default void begin() {
        }

        /**
         * Writes the guided prediction.
         *
         * @param scale       g
         * @param without     u, [images, channels, height, width]
         * @param with        c, of the same shape
         * @param out         of the same shape, and none of the two
         */
        void apply(Backend backend, float scale, Tensor without, Tensor with, Tensor out);
    }

    /**
     * Takes all memory that is needed.
     *
     * @param dims [images, channels, height, width]
     */
    Run start(Workspace workspace, int... dims);

    /** Whether earlier evaluations of a draw act on later ones. */
    default boolean remembers() {
        return false;
    }

    /** Whether the prediction of an evaluation, counted from 0, is zero, and the network need not be asked. */
    default boolean zeroes(int evaluation) {
        return false;
    }
}
