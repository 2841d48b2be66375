package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Weight;

/** What the CPU does for products of float8, whose numbers it multiplies in float32: {@code linear_fp8.cuh}. */
final class CpuFloat8 {
    private static final float LARGEST = 448;
    /** A row of nothing larger is divided by the scale of this, so that all stays finite. */
    private static final float LEAST = 0x1p-100f;

    private CpuFloat8() {
    }

    /** Rounds a row to e4m3, its largest magnitude to 448, and scales it back. What is not finite makes it NaN. */
    static void round(float[] row, int at, int n) {
        float largest = LEAST;
        for (int i = at; i < at + n; i++) {
            float magnitude = Math.abs(row[i]);
            if (magnitude > largest) {
                largest = magnitude;
            }
        }
        float factor = LARGEST / largest;
        float scale = largest / LARGEST;
        for (int i = at; i < at + n; i++) {
            row[i] = FloatFormat.e4m3ToFloat(FloatFormat.floatToE4m3(row[i] * factor)) * scale;
        }
    }

    /** How a layer's input is read. */
    enum Form {
        WIDE, FLOAT8,
        /** In float8 for the matrix and as it is for what adapters add to it. */
        BOTH;

        /** Null where parts of the matrix differ. */
        static Form of(Weight w) {
            return switch (w) {
                case Weight.Adapted adapted -> {
                    Form base = of(adapted.base());
                    yield base == FLOAT8 ? BOTH : base;
                }
                case Weight.Rows rows -> {
                    Form first = of(rows.parts().getFirst());
                    yield rows.parts().stream().allMatch(part -> of(part) == first) ? first : null;
                }
                default -> w.isFloat8() ? FLOAT8 : WIDE;
            };
        }
    }

    /** The same layers, each of one form. */
    static List<LinearCall> ofOneForm(List<LinearCall> calls) {
        List<LinearCall> all = new ArrayList<>();
        calls.forEach(call -> add(call, all));
        return all;
    }

    private static void add(LinearCall call, List<LinearCall> to) {
        if (Form.of(call.w()) != null) {
            to.add(call);
            return;
        }
        switch (call.w()) {
            case Weight.Rows(List<Weight> parts) -> {
                int from = 0;
                for (Weight part : parts) {
                    add(call.columns(part, from, from + part.rows()), to);
                    from += part.rows();
                }
            }
            case Weight.Adapted(Weight.Rows(List<Weight> parts), var deltas) -> {
                int from = 0;
                for (Weight part : parts) {
                    int first = from;
                    int end = from + part.rows();
                    add(call.columns(new Weight.Adapted(part, deltas.stream().map(d -> d.slice(first, end)).toList()),
                            first, end), to);
                    from = end;
                }
            }
            default -> throw new IllegalArgumentException("adapters of adapters of joined matrices: " + call);
        }
    }
}
