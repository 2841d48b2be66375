package jdiffusion.model.convert;

import jdiffusion.model.quantize.Elements;
import jdiffusion.model.quantize.QuantType;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;

/**
 * A tensor on its way into a file.
 *
 * @param elements its numbers; null when they are not floating-point numbers
 * @param stored   how it is stored; null when it has to be made anew from its elements
 */
public record Outgoing(String name, Shape shape, Elements elements, Stored stored) {
    /** Numbers that are computed, rounded to a plain type. */
    public static Outgoing plain(String name, Elements elements, DType type) {
        return new Outgoing(name, elements.shape(), elements,
                new Stored.Plain(type, QuantType.narrowed(elements, type)));
    }

    /** The tensor itself as it is when it has that type, else rounded to it. */
    Outgoing as(DType type) {
        return stored instanceof Stored.Plain p && (p.type() == type || elements == null) ? this
                : plain(name, elements, type);
    }

    Outgoing with(Stored other) {
        return new Outgoing(name, shape, elements, other);
    }

    Outgoing named(String other) {
        return new Outgoing(other, shape, elements, stored);
    }

}
