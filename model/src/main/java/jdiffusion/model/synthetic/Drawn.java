package jdiffusion.model.synthetic;

import jdiffusion.model.quantize.Elements;
import jdiffusion.tensor.Shape;

/** A tensor of normal random numbers. */
record Drawn(Shape shape, NormalNumbers random, float mean, float std) implements Elements {
    @Override
    public void read(long first, int count, float[] to, int at) {
        random.fill(first, count, mean, std, to, at);
    }
}
