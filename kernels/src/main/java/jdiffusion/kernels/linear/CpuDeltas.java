package jdiffusion.kernels.linear;

import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.MultiplyAdd;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * What adapters add to rows of a matrix, on the way into a product, to the bit as {@link Delta#add}.
 *
 * <p>A row of a delta is a sum of scaled rows of a matrix that other rows of it need as well: the down matrix of a
 * low-rank delta, the second factor of a Kronecker product. So these are made ready once for a call.
 */
final class CpuDeltas {
    private final Cpu cpu;
    private final Map<Delta, Ready> ready = new IdentityHashMap<>();
    private float[] values;

    /**
     * Where a delta's matrices begin in {@link #values}.
     *
     * @param rows    the matrix whose rows are scaled
     * @param stride  the distance of its rows
     * @param factors what they are scaled by: up, or the first factor; times the delta's scale, without gaps
     * @param scratch the parts of a second factor that is a product itself
     */
    private record Ready(int rows, int stride, int factors, int scratch) {
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
        ready.forEach((delta, at) -> {
            switch (delta) {
                case Delta.LowRank low -> {
                    widen(low.down(), at.rows, at.stride);
                    factors(low.up(), low.scale(), at.factors);
                }
                case Delta.Kronecker product -> {
                    second(product, at);
                    factors(product.w1(), product.scale(), at.factors);
                }
            }
        });
    }

    void end() {
        ready.clear();
        values = null;
    }

    /** Gives each delta under {@code w} a place from {@code start} on; returns the end. */
    private int place(Weight w, int start) {
        int end = start;
        if (w instanceof Weight.Rows joined) {
            for (Weight part : joined.parts()) {
                end = place(part, end);
            }
        } else if (w instanceof Weight.Adapted adapted) {
            end = place(adapted.base(), end);
            for (Delta delta : adapted.deltas()) {
                end = ready.containsKey(delta) ? end : place(delta, end);
            }
        } else if (w instanceof Stretched stretched) {
            end = place(stretched.base(), end);
        }
        return end;
    }

    private int place(Delta delta, int start) {
        Tensor rows;
        Tensor factors;
        long height;
        long scratch;
        switch (delta) {
            case Delta.LowRank low -> {
                rows = low.down();
                factors = low.up();
                height = rows.rows();
                scratch = 0;
            }
            case Delta.Kronecker product -> {
                rows = product.right();
                factors = product.w1();
                height = height(product);
                scratch = product.left() == null ? 0 : product.left().shape().size() + rows.shape().size();
            }
        }
        // An odd number of cache lines, so that rows do not fall into one cache set.
        int stride = (Math.ceilDiv(rows.cols(), 16) | 1) * 16;
        long second = start + height * stride;
        long third = second + factors.shape().size();
        ready.put(delta, new Ready(start, stride, Math.toIntExact(second), Math.toIntExact(third)));
        return Math.toIntExact(third + scratch);
    }

    /** Rows of a second factor. */
    private static int height(Delta.Kronecker product) {
        return (product.left() == null ? product.right() : product.left()).rows();
    }

    private void widen(Tensor from, int at, int stride) {
        for (int r = 0; r < from.rows(); r++) {
            Widen.run(from.data(), from.type(), from.rowOffset(r), values, at + r * stride, from.cols());
        }
    }

    private void factors(Tensor from, float scale, int at) {
        widen(from, at, from.cols());
        for (int i = at; i < at + from.shape().size(); i++) {
            values[i] *= scale;
        }
    }

    private void second(Delta.Kronecker product, Ready at) {
        Tensor left = product.left();
        Tensor right = product.right();
        if (left == null) {
            widen(right, at.rows, at.stride);
            return;
        }
        int rights = at.scratch + Math.toIntExact(left.shape().size());
        widen(left, at.scratch, left.cols());
        widen(right, rights, right.cols());
        for (int r = 0; r < left.rows(); r++) {
            int row = at.rows + r * at.stride;
            Arrays.fill(values, row, row + right.cols(), 0f);
            MultiplyAdd.rows(left.cols(), values, at.scratch + r * left.cols(), values, rights, right.cols(), values,
                    row, right.cols());
        }
    }

    /** Adds elements {@code from} to {@code from + count} of a row of each. */
    void add(List<Delta> deltas, int row, int from, int count, float[] to, int at) {
        for (Delta delta : deltas) {
            Ready place = ready.get(delta);
            switch (delta) {
                case Delta.LowRank low -> {
                    int rank = low.up().cols();
                    MultiplyAdd.rows(rank, values, place.factors + row * rank, values, place.rows + from, place.stride,
                            to, at, count);
                }
                case Delta.Kronecker product when product.rowFactors() != null || product.colFactors() != null ->
                    addStretched(product, place, row, from, count, to, at);
                case Delta.Kronecker product -> add(product, place, row + product.first(), from, count, to, at);
            }
        }
    }

    private void addStretched(Delta.Kronecker product, Ready place, int row, int from, int count, float[] to, int at) {
        int height = height(product);
        int width = product.right().cols();
        int inner = place.rows + (row + product.first()) % height * place.stride;
        int factors = place.factors + (row + product.first()) / height * product.w1().cols();
        for (int i = 0; i < count; i++) {
            int col = from + i;
            to[at + i] += values[factors + col / width] * values[inner + col % width] * product.factor(row, col);
        }
    }

    /** The columns in runs that share an element of the first factor. */
    private void add(Delta.Kronecker product, Ready place, int row, int from, int count, float[] to, int at) {
        int height = height(product);
        int width = product.right().cols();
        int inner = place.rows + row % height * place.stride;
        int factors = place.factors + row / height * product.w1().cols();
        for (int done = 0; done < count; ) {
            int block = (from + done) / width;
            int col = (from + done) % width;
            int n = Math.min(width - col, count - done);
            MultiplyAdd.rows(1, values, factors + block, values, inner + col, place.stride, to, at + done, n);
            done += n;
        }
    }
}
