package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.machine.AmxProducts.BLOCK_FLOATS;
import static jdiffusion.kernels.machine.AmxProducts.DEPTH;
import static jdiffusion.kernels.machine.AmxProducts.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxProducts.SIDE;
import static jdiffusion.kernels.machine.AmxProducts.STEP_WORDS;

import java.util.Arrays;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.machine.AmxProducts;
import jdiffusion.kernels.machine.Into;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * {@link Gemm} on AMX's tiles. Left rows are rounded and packed, a chunk of them at a time, into an array that all
 * workers share: for each part along k, the blocks of 32 rows one after the other. An item of work is a strip of up to
 * {@link #MOST_STRIP} times 32 columns by a group of blocks: for a part along k after the other, 32 right rows at a
 * time, from where they are stored if that is in bfloat16, pass all blocks of the group. The sums wait between parts
 * transposed, in blocks of 32 by 32, and come back into rows at the end, with bias and epilogue.
 *
 * <p>The order of a sum's parts depends on k alone: rows and columns are padded with zeros to whole blocks.
 */
final class AmxGemm {
    /** Steps along k of a part: 32 right rows of it are 32 KiB, two thirds of the first-level cache. */
    private static final int PART_STEPS = 16;
    /** Widths of 32 columns of an item; with {@link #MOST_GROUP} its parts take 0.7 MiB of the second-level cache. */
    private static final int MOST_STRIP = 4;
    /** Blocks of 32 left rows of an item. */
    private static final int MOST_GROUP = 12;
    /** Words of a chunk of left rows, 8 MiB. */
    private static final int CHUNK = 1 << 21;
    private static final int ITEMS_PER_WORKER = 4;
    private static final int STEP_ROW_WORDS = DEPTH / 2;
    /** Distance of right rows that are copied: not a multiple of a page, for the cache's sake. */
    private static final int COPY_STRIDE = PART_STEPS * STEP_ROW_WORDS + 16;
    /** Where rows are a multiple of it apart, they push each other out of the first-level cache. */
    private static final int CACHE_WAY = 2048;

    private final Cpu cpu;
    private final TileStore store;
    private final Workers.Body packLeft = this::packLeft;
    private final Workers.Body multiply = this::multiply;

    private AmxProducts products;
    private Gemm.Factors factors;
    private Epilogue epilogue;
    private Activation activation;
    /** Whether machine code does the activation. */
    private boolean activated;
    private Tensor out;
    private int n;
    private int k;
    private int steps;
    private int partSteps;
    private float[] bias;
    private float[] left;
    private int chunkStart;
    private int chunkRows;
    private int blocks;
    private int strips;
    private int strip;
    private int groups;

    AmxGemm(Cpu cpu) {
        this.cpu = cpu;
        store = new TileStore(cpu);
    }

    /** See {@link Gemm#run}; there is at least a row and a column. */
    void run(int rows, int columns, int depth, Gemm.Factors given, Tensor biasVector, Epilogue how, Tensor to) {
        products = cpu.products().amx();
        factors = given;
        epilogue = how;
        out = to;
        n = columns;
        k = depth;
        int padded = Math.ceilDiv(n, SIDE) * SIDE;
        bias = cpu.shared(Buffer.ROW, padded);
        Arrays.fill(bias, 0, padded, 0f);
        if (biasVector != null) {
            Widen.vector(biasVector, bias);
        }
        activation = epilogue.activation();
        activated = AmxProducts.activates(activation);
        // A row's activation must not depend on where its block ends, so all rows get it from the same code.
        store.begin(activated ? epilogue.withoutActivation() : epilogue, out);
        steps = Math.max(1, Math.ceilDiv(k, DEPTH));
        partSteps = Math.ceilDiv(steps, Math.ceilDiv(steps, PART_STEPS));
        int blocksInAll = Math.ceilDiv(rows, SIDE);
        int most = Math.clamp(CHUNK / ((long) steps * STEP_WORDS), 1, blocksInAll);
        int chunkBlocks = Math.ceilDiv(blocksInAll, Math.ceilDiv(blocksInAll, most));
        left = cpu.shared(Buffer.A_PANEL, Math.multiplyExact(chunkBlocks, Math.multiplyExact(steps, STEP_WORDS)));
        for (chunkStart = 0; chunkStart < rows; chunkStart += chunkBlocks * SIDE) {
            chunkRows = Math.min(chunkBlocks * SIDE, rows - chunkStart);
            blocks = Math.ceilDiv(chunkRows, SIDE);
            cpu.workers().run(blocks * (SIDE / PACKED_ROWS), packLeft);
            cut();
            cpu.workers().run(strips * groups, multiply);
        }
        store.end();
        factors = null;
        epilogue = null;
        out = null;
    }

    /** Items as large as the caches like, but enough for all workers. */
    private void cut() {
        int wanted = ITEMS_PER_WORKER * cpu.workers().count();
        strip = MOST_STRIP;
        groups = Math.ceilDiv(blocks, MOST_GROUP);
        while (strip > 1 && Math.ceilDiv(n, strip * SIDE) * groups < wanted) {
            strip /= 2;
        }
        strips = Math.ceilDiv(n, strip * SIDE);
        groups = Math.clamp(Math.ceilDiv(wanted, strips), groups, blocks);
    }

    private void packLeft(int item, int worker) {
        int row = item * PACKED_ROWS;
        int half = row % SIDE / PACKED_ROWS * (STEP_WORDS / 2);
        Tensor place = row + PACKED_ROWS <= chunkRows && k == steps * DEPTH ? factors.leftPlace() : null;
        if (place != null) {
            long offset = place.rowOffset(chunkStart + row);
            for (int step = 0; step < steps; step += partSteps) {
                int count = Math.min(partSteps, steps - step);
                products.pack(place.data(), offset + (long) Float.BYTES * step * DEPTH, place.rowOffset(1), count,
                        left, leftAt(step, count, row / SIDE) + half);
            }
            return;
        }
        int stride = steps * DEPTH + 16;
        float[] rows = cpu.local(worker, Buffer.ROW, PACKED_ROWS * stride);
        for (int r = 0; r < PACKED_ROWS; r++) {
            int from = 0;
            if (row + r < chunkRows) {
                factors.left(chunkStart + row + r, rows, r * stride);
                from = k;
            }
            Arrays.fill(rows, r * stride + from, r * stride + steps * DEPTH, 0f);
        }
        for (int step = 0; step < steps; step += partSteps) {
            int count = Math.min(partSteps, steps - step);
            products.pack(rows, step * DEPTH, stride, count, left, leftAt(step, count, row / SIDE) + half);
        }
    }

    /** Where a block's part of {@code count} steps begins. */
    private int leftAt(int step, int count, int block) {
        return (step * blocks + block * count) * STEP_WORDS;
    }

    private void multiply(int item, int worker) {
        int column = item % strips * strip * SIDE;
        int group = item / strips;
        int first = (int) ((long) blocks * group / groups);
        int count = (int) ((long) blocks * (group + 1) / groups) - first;
        int widths = Math.min(strip, Math.ceilDiv(n - column, SIDE));
        float[] sums = cpu.local(worker, Buffer.TILE, widths * count * BLOCK_FLOATS);
        for (int step = 0; step < steps; step += partSteps) {
            int part = Math.min(partSteps, steps - step);
            for (int w = 0; w < widths; w++) {
                product(column + w * SIDE, step, part, first, count, sums, w * count * BLOCK_FLOATS, worker);
            }
        }
        finish(column, widths, first, count, sums, worker);
    }

    /** One part of the sums of 32 columns, from {@code column} on, and a group of blocks. */
    private void product(int column, int step, int part, int first, int count, float[] sums, int sumsAt, int worker) {
        int leftAt = leftAt(step, part, first);
        Tensor place = column + SIDE <= n && (step + part) * DEPTH <= k ? factors.rightPlace(column, SIDE) : null;
        // A copy takes about as long as the product with one block.
        if (place != null && (count <= 2 || place.rowOffset(1) % CACHE_WAY != 0)) {
            long offset = 2L * step * DEPTH;
            Mapped.touch(place, offset, 2 * part * DEPTH);
            products.multiply(step == 0, place.data(), offset, place.rowOffset(1), part, left, leftAt, count, sums,
                    sumsAt);
            return;
        }
        float[] copy = cpu.local(worker, Buffer.A_PANEL, SIDE * COPY_STRIDE);
        for (int r = 0; r < SIDE; r++) {
            right(column + r, step * DEPTH, part, copy, r * COPY_STRIDE, worker);
        }
        products.multiply(step == 0, copy, 0, COPY_STRIDE, part, left, leftAt, count, sums, sumsAt);
    }

    /** Words of a right row, 0 beyond n and k. */
    private void right(int row, int from, int part, float[] to, int at, int worker) {
        int words = part * STEP_ROW_WORDS;
        int count = Math.min(part * DEPTH, k - from);
        if (row >= n || count <= 0) {
            Arrays.fill(to, at, at + words, 0f);
        } else if (factors.rightStored(row, from, count, to, at)) {
            Arrays.fill(to, at + Math.ceilDiv(count, 2), at + words, 0f);
        } else {
            float[] numbers = cpu.local(worker, Buffer.ROW, PART_STEPS * DEPTH);
            factors.right(row, from, count, numbers, 0);
            Arrays.fill(numbers, count, part * DEPTH, 0f);
            products.roundPairs(numbers, 0, words, to, at);
        }
    }

    /** Brings sums into the output: runs of blocks at once where that is all they need, else row by row. */
    private void finish(int column, int widths, int first, int count, float[] sums, int worker) {
        boolean plain = activated && column + widths * SIDE <= n && out.type() == DType.F32;
        float[] vectors = cpu.local(worker, Buffer.STATISTICS, 2 * SIDE);
        int end;
        for (int b = 0; b < count; b = end) {
            end = b + 1;
            if (plain && gateRow(first + b) >= 0) {
                while (end < count && gateRow(first + end) == gateRow(first + b)) {
                    end++;
                }
                for (int w = 0; w < widths; w++) {
                    whole(column + w * SIDE, first + b, end - b, sums, (w * count + b) * BLOCK_FLOATS, vectors);
                }
            } else {
                byRows(column, widths, first + b, sums, b * BLOCK_FLOATS, count * BLOCK_FLOATS, worker, vectors);
            }
        }
    }

    /** The row of the gate for all rows of a block, 0 without a gate; -1 where they differ or rows are missing. */
    private int gateRow(int block) {
        if ((block + 1) * SIDE > chunkRows) {
            return -1;
        }
        if (epilogue.gate() == null) {
            return 0;
        }
        int rowsPerGate = out.rows() / epilogue.gate().rows();
        int row = chunkStart + block * SIDE;
        int gate = row / rowsPerGate;
        return (row + SIDE - 1) / rowsPerGate == gate ? gate : -1;
    }

    private void whole(int column, int block, int count, float[] sums, int sumsAt, float[] vectors) {
        System.arraycopy(bias, column, vectors, 0, SIDE);
        Into into = TileStore.into(epilogue);
        if (into == Into.GATED_ADD) {
            Tensor gate = epilogue.gate();
            long offset = gate.rowOffset(gateRow(block)) + (long) Float.BYTES * column;
            Widen.run(gate.data(), gate.type(), offset, vectors, SIDE, SIDE);
        }
        long offset = out.rowOffset(chunkStart + block * SIDE) + (long) Float.BYTES * column;
        products.unpack(into, activation, sums, sumsAt, count, vectors, out.data(), offset, out.rowOffset(1));
    }

    private void byRows(int column, int widths, int block, float[] sums, int sumsAt, int apart, int worker,
                        float[] vectors) {
        int width = widths * SIDE;
        float[] rows = cpu.local(worker, Buffer.SUMS, SIDE * width);
        for (int w = 0; w < widths; w++) {
            System.arraycopy(bias, column + w * SIDE, vectors, 0, SIDE);
            products.unpack(activated ? activation : Activation.NONE, sums, sumsAt + w * apart, 1, vectors, rows,
                    w * SIDE, width);
        }
        int count = Math.min(SIDE, chunkRows - block * SIDE);
        for (int r = 0; r < count; r++) {
            store.panel(rows, r * width, width, chunkStart + block * SIDE + r, 1, column, Math.min(width, n - column));
        }
    }
}
