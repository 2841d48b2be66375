package jdiffusion.kernels.linear;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;

/**
 * What becomes of adapted matrices on their way to a device. Low-rank pairs are joined to one, which lies beside a
 * quantised matrix; to one of bfloat16, float16 or float32 they are added when that is placed, by {@link Merge}. Other
 * adapters are added on the host, row by row, to a copy of the matrix in float32, float16 or bfloat16: its own type, or
 * that of the device's operands where its own is another. So is a {@link Stretched} matrix made on the host.
 */
public final class AdapterForm {
    /** Ranks are filled up with zeros to a multiple of this, so that rows are aligned. */
    static final int RANK_UNIT = 8;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final DType operandType;
    private final boolean sizesOnly;

    /**
     * @param operandType what the device multiplies
     * @param sizesOnly   whether new tensors need no elements, because nothing but memory is counted
     */
    public AdapterForm(DType operandType, boolean sizesOnly) {
        this.operandType = operandType;
        this.sizesOnly = sizesOnly;
    }

    /**
     * The same matrix; what is adapted in it is a Dense, FourBit, Scaled or Blocks with one low-rank pair, or with
     * several where it {@link #isMerged}.
     *
     * @param merging whether the device will merge what can be merged
     */
    public Weight of(Weight stored, boolean merging) {
        return switch (stored) {
            case Weight.Dense _, Weight.Scaled _, FourBitWeight _, Weight.Blocks _ -> stored;
            case Weight.Rows(List<Weight> parts) ->
                new Weight.Rows(parts.stream().map(part -> of(part, merging)).toList());
            case Weight.Adapted(Weight base, List<Delta> deltas) -> adapted(base, deltas, merging);
            case Stretched _ -> expanded(stored);
        };
    }

    private Weight adapted(Weight base, List<Delta> deltas, boolean merging) {
        if (deltas.isEmpty()) {
            return of(base, merging);
        }
        if (base instanceof Weight.Adapted(Weight inner, List<Delta> first)) {
            List<Delta> all = new ArrayList<>(first);
            all.addAll(deltas);
            return adapted(inner, all, merging);
        }
        if (base instanceof Weight.Rows(List<Weight> parts)) {
            List<Weight> adapted = new ArrayList<>();
            int from = 0;
            for (Weight part : parts) {
                int first = from;
                int end = from + part.rows();
                adapted.add(adapted(part, deltas.stream().map(delta -> delta.slice(first, end)).toList(), merging));
                from = end;
            }
            return new Weight.Rows(adapted);
        }
        if (base instanceof Stretched) {
            return expanded(new Weight.Adapted(base, deltas));
        }
        List<Delta.LowRank> pairs = new ArrayList<>();
        List<Delta> others = new ArrayList<>();
        for (Delta delta : deltas) {
            if (delta instanceof Delta.LowRank pair) {
                pairs.add(pair);
            } else {
                others.add(delta);
            }
        }
        Weight dense = others.isEmpty() ? base : expanded(new Weight.Adapted(base, others));
        return pairs.isEmpty() ? dense
                : new Weight.Adapted(dense, merging && isMerged(dense) ? List.copyOf(pairs) : List.of(joined(pairs)));
    }

    /** Whether pairs can be added to a matrix without harm. */
    public static boolean isMerged(Weight base) {
        return base instanceof Weight.Dense(Tensor tensor) && isWide(tensor.type());
    }

    private Weight expanded(Weight whole) {
        int cols = whole.cols();
        return Weight.of(make(expandedType(whole), whole.rows(), cols, (row, to) -> whole.read(row, 0, cols, to, 0)));
    }

    private DType expandedType(Weight whole) {
        return switch (whole) {
            case Weight.Adapted adapted -> expandedType(adapted.base());
            case Stretched stretched -> expandedType(stretched.base());
            case Weight.Rows rows -> expandedType(rows.parts().getFirst());
            case Weight.Dense(Tensor tensor) when isWide(tensor.type()) -> tensor.type();
            case Weight.Dense _, Weight.Scaled _, FourBitWeight _, Weight.Blocks _ -> operandType;
        };
    }

    private static boolean isWide(DType type) {
        return type == DType.F32 || type == DType.BF16 || type == DType.F16;
    }

    /**
     * Pairs that are to be added to a matrix [n, k], as operands of a product in bfloat16: matrix += left right^T.
     * An element of another type or with a scale is split in two, high + low, with 16 bits together, and the product is
     * that of the sums but for low low.
     *
     * @param left  [n, rank or three times that]
     * @param right [k, as many]
     */
    public record Merge(Tensor left, Tensor right) {
    }

    /** @param adapted where {@link #isMerged} holds for the base */
    public Merge merge(Weight.Adapted adapted) {
        List<Delta.LowRank> pairs = adapted.deltas().stream().map(delta -> (Delta.LowRank) delta).toList();
        int rank = pairs.stream().mapToInt(pair -> pair.down().rows()).sum();
        int filled = Math.ceilDiv(rank, RANK_UNIT) * RANK_UNIT;
        boolean whole = pairs.stream().allMatch(pair -> pair.down().type() == DType.BF16
                && pair.up().type() == DType.BF16 && pair.scale() == 1);
        int cols = whole ? filled : 3 * filled;
        return new Merge(make(DType.BF16, adapted.rows(), cols, (row, to) -> {
            int at = 0;
            for (Delta.LowRank pair : pairs) {
                read(pair.up(), row, pair.scale(), to, at);
                at += pair.up().cols();
            }
            if (!whole) {
                split(to, filled, filled, 2 * filled);
            }
        }), make(DType.BF16, adapted.cols(), cols, (row, to) -> {
            int at = 0;
            for (Delta.LowRank pair : pairs) {
                for (int r = 0; r < pair.down().rows(); r++) {
                    to[at++] = pair.down().get(r, row);
                }
            }
            if (!whole) {
                split(to, filled, 2 * filled, filled);
            }
        }));
    }

    /** From the values at 0: their high parts to 0 and {@code high}, their low parts to {@code low}. */
    private static void split(float[] values, int count, int high, int low) {
        for (int i = 0; i < count; i++) {
            float value = values[i];
            float part = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(value));
            values[i] = part;
            values[high + i] = part;
            values[low + i] = value - part;
        }
    }

    /** One pair of the operand type for several; where there are several, their scales are in up. */
    private Delta.LowRank joined(List<Delta.LowRank> pairs) {
        int rank = pairs.stream().mapToInt(pair -> pair.down().rows()).sum();
        int filled = Math.ceilDiv(rank, RANK_UNIT) * RANK_UNIT;
        boolean alone = pairs.size() == 1;
        Delta.LowRank first = pairs.getFirst();
        Tensor down = make(operandType, filled, first.cols(), (row, to) -> {
            int r = row;
            for (Delta.LowRank pair : pairs) {
                if (r >= 0 && r < pair.down().rows()) {
                    read(pair.down(), r, 1, to, 0);
                }
                r -= pair.down().rows();
            }
        });
        Tensor up = make(operandType, first.rows(), filled, (row, to) -> {
            int at = 0;
            for (Delta.LowRank pair : pairs) {
                read(pair.up(), row, alone ? 1 : pair.scale(), to, at);
                at += pair.down().rows();
            }
        });
        return new Delta.LowRank(down, up, alone ? first.scale() : 1);
    }

    /** Fills a row; what it leaves is zero. */
    private interface RowSource {
        void read(int row, float[] to);
    }

    private Tensor make(DType type, int rows, int cols, RowSource source) {
        Shape shape = Shape.of(rows, cols);
        long bytes = shape.size() * type.bytes();
        if (sizesOnly) {
            return Tensor.of(Unreadable.at(0, bytes), type, shape);
        }
        MemorySegment memory = Arena.ofAuto().allocate(Math.max(1, bytes), Long.BYTES);
        IntStream.range(0, rows).parallel().forEach(row -> {
            float[] values = new float[cols];
            source.read(row, values);
            for (int i = 0; i < cols; i++) {
                long at = ((long) row * cols + i) * type.bytes();
                switch (type) {
                    case F32 -> memory.set(FLOAT, at, values[i]);
                    case BF16 -> memory.set(SHORT, at, FloatFormat.floatToBf16(values[i]));
                    default -> memory.set(SHORT, at, FloatFormat.floatToF16(values[i]));
                }
            }
        });
        return Tensor.of(memory, type, shape);
    }

    private static void read(Tensor tensor, int row, float scale, float[] to, int at) {
        for (int i = 0; i < tensor.cols(); i++) {
            to[at + i] = scale * tensor.get(row, i);
        }
    }
}
