package jdiffusion.kernels;

import java.util.concurrent.atomic.LongAdder;

/**
 * Multiplications and additions of the products that a backend was asked for since it was opened, by kind; a
 * multiplication with its addition is two. For any thread.
 */
public final class WorkCount {
    private final LongAdder linear = new LongAdder();
    private final LongAdder attention = new LongAdder();
    private final LongAdder convolution = new LongAdder();

    public void addLinear(long flops) {
        linear.add(flops);
    }

    public void addAttention(long flops) {
        attention.add(flops);
    }

    public void addConvolution(long flops) {
        convolution.add(flops);
    }

    /** Of linear layers. */
    public long linear() {
        return linear.sum();
    }

    /** Of attention's two products. */
    public long attention() {
        return attention.sum();
    }

    /** Of convolutions. */
    public long convolution() {
        return convolution.sum();
    }
}
