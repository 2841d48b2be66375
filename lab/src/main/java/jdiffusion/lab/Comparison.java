package jdiffusion.lab;

import java.util.Locale;

/**
 * How far an array is from what it should be.
 *
 * @param wrong    elements that are off by more than {@code tolerance * max(1, |expected|)}; NaN equals NaN
 * @param first    index of the first of them, or -1
 * @param greatest difference of any element
 */
record Comparison(String name, long wrong, long first, double greatest, double got, double expected) {

    /** @throws LabException when the two have different numbers of elements */
    static Comparison of(String name, HostArray got, HostArray expected, double tolerance) {
        if (got.count() != expected.count()) {
            throw LabException.misuse("%s has %d elements (%s), and %d (%s) are expected".formatted(name, got.count(),
                    got.shapeText(), expected.count(), expected.shapeText()));
        }
        long wrong = 0;
        long first = -1;
        double greatest = 0;
        for (long i = 0; i < got.count(); i++) {
            double a = got.get(i);
            double e = expected.get(i);
            boolean same = a == e || Double.isNaN(a) && Double.isNaN(e);
            double off = same ? 0 : Math.abs(a - e);
            greatest = Double.isNaN(off) ? Double.NaN : Math.max(greatest, off);
            if (!(off <= tolerance * Math.max(1, Math.abs(e)))) {
                wrong++;
                first = first < 0 ? i : first;
            }
        }
        return new Comparison(name, wrong, first, greatest, first < 0 ? 0 : got.get(first),
                first < 0 ? 0 : expected.get(first));
    }

    /** One line. */
    String text(HostArray got) {
        return wrong == 0 ? String.format(Locale.ROOT, "%s: as expected, greatest difference %.3g", name, greatest)
                : String.format(Locale.ROOT, "%s: %d of %d elements are wrong, the first at %s: %s, expected %s", name,
                        wrong, got.count(), place(got.shape(), first), number(this.got), number(expected));
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15 ? Long.toString((long) value)
                : Double.toString(value);
    }

    private static String place(long[] shape, long index) {
        if (shape.length < 2) {
            return "[" + index + "]";
        }
        var place = new StringBuilder("]");
        long rest = index;
        for (int i = shape.length - 1; i >= 0; i--) {
            place.insert(0, (i == 0 ? "" : ", ") + rest % shape[i]);
            rest /= shape[i];
        }
        return place.insert(0, '[').toString();
    }
}
