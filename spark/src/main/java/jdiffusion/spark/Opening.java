package jdiffusion.spark;

import java.io.Serializable;
import jdiffusion.batch.Painter;

/** Makes painters on executors. */
@FunctionalInterface
interface Opening extends Serializable {
    /**
     * A painter that keeps its model until it is closed.
     *
     * @param device  cpu, cuda:N and so on
     * @param threads of the CPU
     */
    Painter open(Settings settings, String device, int threads);
}
