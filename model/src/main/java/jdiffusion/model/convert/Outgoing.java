package jdiffusion.model.convert;

import jdiffusion.model.quantize.Elements;
import jdiffusion.model.quantize.QuantType;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;

/**
 * A tensor on its way into a file.
 *
 * @param name     in the file
 * @param ours     in the diffusers layout, of which rules speak; the first one where several are joined
 * @param elements its numbers; null when they are not floating-point numbers
 * @param stored   how it is stored; null when it has to be made anew from its elements
 */
public record Outgoing(String name, String ours, Shape shape, Elements elements, Stored stored) {
    /** Numbers that are computed, rounded to a plain type. */
    public static Outgoing plain(String name, Elements elements, DType type) {
        return new Outgoing(name, name, elements.shape(), elements, null).as(type);
    }

    /** The tensor as it is when it has that type, else rounded to it. */
    Outgoing as(DType type) {
        return elements == null || stored instanceof Stored.Plain p && p.type() == type ? this
                : with(new Stored.Plain(type, QuantType.narrowed(elements, type)));
    }

    Outgoing with(Stored other) {
        return new Outgoing(name, ours, shape, elements, other);
    }
}
