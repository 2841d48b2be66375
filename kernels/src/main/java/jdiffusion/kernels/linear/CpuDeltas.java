package jdiffusion.kernels.linear;

import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.MultiplyAdd;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * What adapters add to rows of a matrix, on the way into a product. Every row of a low-rank delta needs all of its
 * down matrix, so both its matrices are widened once for a call.
 */
final class CpuDeltas {
    private final Cpu cpu;
    private final Map<Delta, Widened> widened = new IdentityHashMap<>();
    private float[] values;

    /** Where the widened matrices of a delta begin: down with that distance of rows, up without gaps. */
    private record Widened(int down, int stride, int up) {
    }

    CpuDeltas(Cpu cpu) {
        this.cpu = cpu;
    }

    /** Before the rows of {@code w} are read. */
    void begin(Weight w) {
        int size = place(w, 0);
        if (size == 0) {
            return;
        }
        values = cpu.shared(Buffer.ADAPTER, size);
        widened.forEach((delta, at) -> {
            Delta.LowRank low = (Delta.LowRank) delta;
            widen(low.down(), at.down, at.stride);
            widen(low.up(), at.up, low.up().cols());
            for (int i = at.up; i < at.up + low.up().shape().size(); i++) {
                values[i] *= low.scale();
            }
        });
    }

    private void widen(Tensor from, int at, int stride) {
        for (int r = 0; r < from.rows(); r++) {
            Widen.run(from.data(), from.type(), from.rowOffset(r), values, at + r * stride, from.cols());
        }
    }

    void end() {
        widened.clear();
        values = null;
    }

    /** Gives each low-rank delta under {@code w} a place from {@code start} on; returns the end. */
    private int place(Weight w, int start) {
        int end = start;
        if (w instanceof Weight.Rows joined) {
            for (Weight part : joined.parts()) {
                end = place(part, end);
            }
        } else if (w instanceof Weight.Adapted adapted) {
            end = place(adapted.base(), end);
            for (Delta delta : adapted.deltas()) {
                if (delta instanceof Delta.LowRank low && !widened.containsKey(low)) {
                    // An odd number of cache lines, so that rows do not fall into one cache set.
                    int stride = (Math.ceilDiv(low.cols(), 16) | 1) * 16;
                    int up = Math.addExact(end, Math.multiplyExact(low.down().rows(), stride));
                    widened.put(low, new Widened(end, stride, up));
                    end = Math.addExact(up, Math.toIntExact(low.up().shape().size()));
                }
            }
        }
        return end;
    }

    /** Adds elements {@code from} to {@code from + count} of a row of each, to the bit as {@link Delta#add}. */
    void add(List<Delta> deltas, int row, int from, int count, float[] to, int at) {
        for (Delta delta : deltas) {
            if (delta instanceof Delta.LowRank low) {
                Widened place = widened.get(low);
                int rank = low.up().cols();
                MultiplyAdd.rows(rank, values, place.up + row * rank, values, place.down + from, place.stride, to, at,
                        count);
            } else {
                delta.add(row, from, count, to, at);
            }
        }
    }
}
