package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdiffusion.kernels.cpu.Simd.LANES;

import java.util.Arrays;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.Start;
import jdiffusion.tensor.Tensor;

/**
 * The blocked loop of linear layers and convolutions: out [m, n] = epilogue(left [m, k] right [n, k]^T + bias).
 *
 * <p>Left rows are copied, a chunk of them at a time, into an array that all workers share; those that are stored as
 * pairs of bfloat16, which products take as they are, are read where they lie. An item of work is then a
 * strip of {@link #STRIP} columns by a group of the chunk's rows: a worker transposes a block of the strip's right
 * rows straight from where they are stored into its own cache, runs it over the group's panels of {@link
 * MicroKernel#MR} rows, and goes on along k. Sums wait in tiles between blocks; each starts from its bias and is one
 * chain in the order of k, however the work is cut.
 *
 * <p>All of this counts in words of 32 bits: a word is one number in float32, or two consecutive ones in bfloat16
 * where {@link Products#inPairs}.
 */
public final class Gemm {
    /** Columns of an item. */
    private static final int STRIP = 64;
    /** Words along k of a block: it stays in the second-level cache, STRIP * BLOCK_K words. */
    private static final int BLOCK_K = 768;
    /** Distance of right rows while they wait to be transposed: not a multiple of a page, for the cache's sake. */
    private static final int SLICE_STRIDE = BLOCK_K + 16;
    /** Words of a chunk of left rows, 8 MiB. */
    private static final int CHUNK = 1 << 21;
    /** The fewest panels worth transposing a block for. */
    private static final int LEAST_PANELS = 16;
    private static final int ITEMS_PER_WORKER = 4;
    private static final int PACK_ROWS = 4 * MR;
    /** Panels of a call of machine code. */
    private static final int CALL_PANELS = 4;

    private final Cpu cpu;
    private final AmxGemm amx;
    private final TileStore store;
    private final Ahead[] ahead;
    private final Workers.Body packLeft = this::packLeft;
    private final Workers.Body multiply = this::multiply;

    private Factors factors;
    private int m;
    private int n;
    private int k;
    private boolean inPairs;
    /** Words of a row of k numbers. */
    private int words;
    private float[] left;
    private int leftStride;
    /** Where whole panels of left rows lie as words; null where they are packed. */
    private Tensor inPlace;
    private float[] bias;
    private Tensor out;
    private int chunkStart;
    private int chunkRows;
    private int groups;
    private int panels;

    /**
     * Where the factors come from, as rows of float32, rounded to the precision of the product unless that is in pairs.
     */
    public interface Factors {
        /** Significant bits of a float32. */
        int FLOAT_BITS = 24;

        /** Row {@code row} of the left factor, all k elements. */
        void left(int row, float[] to, int at);

        /** Elements {@code from} to {@code from + count} of row {@code row} of the right factor. */
        void right(int row, int from, int count, float[] to, int at);

        /**
         * The same elements as they are stored, two in a word of {@code to}, where they are stored as bfloat16; the
         * upper half of the last word is 0 where {@code count} is odd.
         *
         * @return whether they are; otherwise nothing is written
         */
        default boolean rightStored(int row, int from, int count, float[] to, int at) {
            return false;
        }

        /** The same of a left row, all k elements. */
        default boolean leftStored(int row, float[] to, int at) {
            return false;
        }

        /** The left rows where they are stored as bfloat16; else null. */
        default Tensor leftWords() {
            return null;
        }

        /**
         * The tensor in which right rows {@code row} to {@code row + count} are stored as bfloat16, from row {@link
         * #rightFirst} on; null where there is none. No view of these rows alone: it is asked for each panel.
         */
        default Tensor rightPlace(int row, int count) {
            return null;
        }

        /** The row of that tensor in which right row {@code row} is. */
        default int rightFirst(int row) {
            return row;
        }

        /** Significant bits that numbers of the right factor have at most. */
        default int rightBits() {
            return FLOAT_BITS;
        }

        /** The left rows where they are stored as float32; else null. */
        default Tensor leftPlace() {
            return null;
        }
    }

    public Gemm(Cpu cpu) {
        this.cpu = cpu;
        amx = new AmxGemm(cpu);
        store = new TileStore(cpu);
        ahead = new Ahead[cpu.workers().count()];
        Arrays.setAll(ahead, _ -> new Ahead());
    }

    /** Sizes are the caller's to check; {@code biasVector} [n] may be null. */
    public void run(int rows, int columns, int depth, Factors given, Tensor biasVector, Epilogue epilogue,
                    Tensor to) {
        run(rows, depth, given, () -> product(columns, biasVector, epilogue, to));
    }

    /**
     * Several products with one left factor, which is packed once: {@code products} calls {@link #product} for each,
     * and is itself called for each chunk of the left rows. The factors have to give right rows of the product called
     * for.
     */
    public void run(int rows, int depth, Factors given, Runnable products) {
        if (rows == 0) {
            return;
        }
        if (cpu.products().amx() != null) {
            amx.run(rows, depth, given, products);
            return;
        }
        factors = given;
        m = rows;
        k = depth;
        inPairs = cpu.products().inPairs();
        words = inPairs ? Math.ceilDiv(k, 2) : k;
        // An odd number of cache lines, so that the rows of a panel do not fall into one cache set.
        inPlace = inPairs && k > 0 && k % 4 == 0 ? factors.leftWords() : null;
        leftStride = (Math.ceilDiv(words + 1, 16) | 1) * 16;
        int panelsInAll = Math.ceilDiv(m, MR);
        int panelsInChunk = Math.clamp(CHUNK / (MR * leftStride), 1, panelsInAll);
        int chunks = Math.ceilDiv(panelsInAll, panelsInChunk);
        int chunkPanels = Math.ceilDiv(panelsInAll, chunks);
        left = cpu.shared(Buffer.A_PANEL, Math.multiplyExact(chunkPanels * MR, leftStride));
        for (chunkStart = 0; chunkStart < m; chunkStart += chunkPanels * MR) {
            chunkRows = Math.min(chunkPanels * MR, m - chunkStart);
            panels = Math.ceilDiv(chunkRows, MR);
            cpu.workers().run(Math.ceilDiv(chunkRows, PACK_ROWS), packLeft);
            products.run();
        }
        inPlace = null;
        factors = null;
    }

    /** What {@link #run(int, int, Factors, Runnable)} is given calls; parameters as of the other run. */
    public void product(int columns, Tensor biasVector, Epilogue epilogue, Tensor to) {
        if (columns == 0) {
            return;
        }
        if (cpu.products().amx() != null) {
            amx.product(columns, biasVector, epilogue, to);
            return;
        }
        n = columns;
        int strips = Math.ceilDiv(n, STRIP);
        bias = cpu.shared(Buffer.ROW, strips * STRIP);
        Arrays.fill(bias, 0, strips * STRIP, 0f);
        if (biasVector != null) {
            Widen.vector(biasVector, bias);
        }
        out = to;
        store.begin(epilogue, out);
        int wanted = Math.ceilDiv(ITEMS_PER_WORKER * cpu.workers().count(), strips);
        groups = Math.clamp(panels / LEAST_PANELS, 1, wanted);
        cpu.workers().run(strips * groups, multiply);
        store.end();
        out = null;
    }

    private void packLeft(int item, int worker) {
        int end = Math.min((item + 1) * PACK_ROWS, Math.ceilDiv(chunkRows, MR) * MR);
        Tensor place = inPairs && k > 0 && k % (2 * MachinePairs.SIDE) == 0 ? factors.leftPlace() : null;
        int begin = inPlace == null ? item * PACK_ROWS : Math.max(item * PACK_ROWS, chunkRows / MR * MR);
        for (int r = begin; r < end; r++) {
            if (r >= chunkRows) {
                Arrays.fill(left, r * leftStride, r * leftStride + words + 1, 0f);
                continue;
            }
            if (place != null) {
                cpu.products().pairs().rows(place.data(), place.rowOffset(chunkStart + r), 0, 1, k, null, left,
                        r * leftStride);
            } else if (!inPairs) {
                factors.left(chunkStart + r, left, r * leftStride);
            } else if (!factors.leftStored(chunkStart + r, left, r * leftStride)) {
                float[] row = cpu.local(worker, Buffer.ROW, cpu.products().padded(k));
                factors.left(chunkStart + r, row, 0);
                cpu.products().roundPairs(row, k, left, r * leftStride);
            }
            left[r * leftStride + words] = 0;
        }
    }

    private void multiply(int item, int worker) {
        int column = item / groups * STRIP;
        int group = item % groups;
        int first = panels * group / groups;
        int count = panels * (group + 1) / groups - first;
        int columns = Math.min(STRIP, n - column);
        int width = columns <= LANES ? LANES : NR;
        int tileCount = Math.ceilDiv(columns, width);
        int panelSize = tileCount * MR * width;
        int blocks = Math.max(1, Math.ceilDiv(words, BLOCK_K));
        int step = Math.ceilDiv(Math.ceilDiv(words, blocks), 16) * 16;
        float[] right = cpu.local(worker, Buffer.B_PANEL, STRIP * (BLOCK_K + 1));
        int atOnce = width == NR && tileCount == 1 ? CALL_PANELS : 1;
        float[] tiles = cpu.local(worker, Buffer.TILE, (blocks == 1 ? atOnce : count) * panelSize);
        for (int k0 = 0; k0 == 0 || k0 < words; k0 += step) {
            int kn = Math.min(step, words - k0);
            int steps = kn + (kn & 1);
            int apart = (steps + 1) * width;
            for (int t = 0; t < tileCount; t++) {
                // Sums begin at the row before a panel.
                System.arraycopy(bias, column + t * width, right, t * apart, width);
                packRight(column + t * width, width, k0, kn, right, t * apart + width, worker);
            }
            boolean last = k0 + kn == words;
            Start start = k0 == 0 ? Start.ROW_BEFORE : Start.SUMS;
            int nextColumn = last ? (item + 1) / groups * STRIP : column;
            int nextStart = last ? 0 : k0 + kn;
            Tensor next = nextColumn >= n ? null : factors.rightPlace(nextColumn, Math.min(STRIP, n - nextColumn));
            int nextRow = next == null ? 0 : factors.rightFirst(nextColumn);
            int nextFrom = Math.max(0, count - Ahead.READ_PANELS) / atOnce * atOnce;
            for (int p = 0; p < count; p += atOnce) {
                int tile = blocks == 1 ? 0 : p * panelSize;
                int together = Math.min(atOnce, count - p);
                int row = (first + p) * MR;
                int rows = Math.min(together * MR, chunkRows - row);
                lookAhead(ahead[worker], next, nextRow, nextStart, p - nextFrom);
                if (last) {
                    ahead[worker].toWrite(out.data(),
                            out.rowOffset(chunkStart + row) + (long) out.type().bytes() * column, out.rowOffset(1));
                } else {
                    ahead[worker].nothingToWrite();
                }
                for (int t = 0; t < tileCount; t++) {
                    product(start, width, together, steps, row, k0, right, t * apart + width, tiles,
                            tile + t * MR * width, ahead[worker]);
                }
                if (last) {
                    store.panel(tiles, tile, width, chunkStart + row, rows, column, columns);
                }
            }
        }
    }

    /** Whole panels of left rows where they lie, if they may, and the others from where they were packed. */
    private void product(Start start, int width, int together, int steps, int row, int k0, float[] right, int rightAt,
                         float[] tiles, int tile, Ahead next) {
        int there = inPlace == null ? 0 : Math.min(together, (chunkRows - row) / MR);
        Products products = cpu.products();
        if (there > 0) {
            long offset = inPlace.rowOffset(chunkStart + row) + 4L * k0;
            if (width == NR) {
                products.multiply(start, there, steps, inPlace.data(), offset, inPlace.rowOffset(1), right, rightAt,
                        tiles, tile, next);
            } else {
                products.multiplyNarrow(start, steps, inPlace.data(), offset, inPlace.rowOffset(1), right, rightAt,
                        tiles, tile);
            }
        }
        if (there < together) {
            int leftAt = (row + there * MR) * leftStride + k0;
            int at = tile + there * MR * width;
            if (width == NR) {
                products.multiply(start, together - there, steps, left, leftAt, leftStride, right, rightAt, tiles, at,
                        there == 0 ? next : null);
            } else {
                products.multiplyNarrow(start, steps, left, leftAt, leftStride, right, rightAt, tiles, at);
            }
        }
    }

    /** Words from {@code k0} on of a share of a strip's rows, which this worker probably needs next; null for none. */
    private void lookAhead(Ahead to, Tensor strip, int first, int k0, int panel) {
        if (strip == null || panel < 0) {
            to.nothingToRead();
        } else {
            to.toRead(strip.data(), strip.rowOffset(first + panel) + (inPairs ? 4L : 2L) * k0, strip.rowOffset(1));
        }
    }

    /**
     * Right rows from {@code column} on, transposed to a panel [kn][width]; columns past n are 0, and so is one more
     * step where kn is odd, since the inner loop takes two steps at a time.
     */
    private void packRight(int column, int width, int k0, int kn, float[] to, int at, int worker) {
        if (inPairs && LANES == MachinePairs.SIDE) {
            packPairs(column, width, k0, kn, to, at, worker);
            return;
        }
        float[] slice = cpu.local(worker, Buffer.A_PANEL, LANES * SLICE_STRIDE);
        float[] square = cpu.local(worker, Buffer.SUMS, LANES * LANES);
        for (int j = 0; j < width; j += LANES) {
            for (int i = 0; i < LANES; i++) {
                if (column + j + i < n) {
                    rightRow(column + j + i, k0, kn, slice, i * SLICE_STRIDE, worker);
                } else {
                    Arrays.fill(slice, i * SLICE_STRIDE, i * SLICE_STRIDE + kn, 0f);
                }
            }
            Transpose.run(LANES, kn, slice, 0, SLICE_STRIDE, to, at + j, width, square);
        }
        if (kn % 2 == 1) {
            Arrays.fill(to, at + kn * width, at + (kn + 1) * width, 0f);
        }
    }

    /**
     * The same by machine code: whole squares from where rows of bfloat16 are stored, the rest from a copy. Behind the
     * panel there is room for what a square has too much.
     */
    private void packPairs(int column, int width, int k0, int kn, float[] to, int at, int worker) {
        MachinePairs code = cpu.products().pairs();
        float[] slice = cpu.local(worker, Buffer.A_PANEL, LANES * SLICE_STRIDE);
        for (int j = 0; j < width; j += LANES) {
            boolean inside = column + j + LANES <= n;
            int present = Math.min(kn, k / 2 - k0) / LANES * LANES;
            Tensor place = inside && present > 0 ? factors.rightPlace(column + j, LANES) : null;
            int done = place == null ? 0 : present;
            if (place != null) {
                int first = factors.rightFirst(column + j);
                Mapped.touch(place, first, LANES, 4L * k0, 4 * done);
                code.transpose(place.data(), place.rowOffset(first) + 4L * k0, place.rowOffset(1), done, to, at + j,
                        width);
            }
            if (done == kn) {
                continue;
            }
            int rest = Math.ceilDiv(kn - done, LANES) * LANES;
            for (int i = 0; i < LANES; i++) {
                int from = i * SLICE_STRIDE;
                int read = 0;
                if (column + j + i < n) {
                    rightRow(column + j + i, k0 + done, kn - done, slice, from, worker);
                    read = kn - done;
                }
                Arrays.fill(slice, from + read, from + rest, 0f);
            }
            code.transpose(slice, 0, SLICE_STRIDE, rest, to, at + done * width + j, width);
        }
    }

    /** Words {@code k0} to {@code k0 + kn} of a right row. */
    private void rightRow(int row, int k0, int kn, float[] to, int at, int worker) {
        if (!inPairs) {
            factors.right(row, k0, kn, to, at);
            return;
        }
        int count = Math.min(2 * kn, k - 2 * k0);
        if (!factors.rightStored(row, 2 * k0, count, to, at)) {
            float[] numbers = cpu.local(worker, Buffer.ROW, cpu.products().padded(2 * BLOCK_K));
            factors.right(row, 2 * k0, count, numbers, 0);
            cpu.products().roundPairs(numbers, count, to, at);
        }
    }
}
