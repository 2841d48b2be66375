package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.machine.AmxPanels.BLOCK_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.HALF_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.LINE;
import static jdiffusion.kernels.machine.AmxPanels.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxPanels.ROW_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.AmxPanels;
import jdiffusion.kernels.machine.Beside;
import jdiffusion.kernels.machine.Parts;
import jdiffusion.tensor.Tensor;

/**
 * {@link Gemm} on AMX's tiles. Left rows are read where they lie if they are bfloat16 in whole cache lines; others are
 * rounded, or copied, into memory that all workers share. An item of work is a panel of {@link #PANEL_BLOCKS} times 32
 * columns by a group of left rows: the worker packs its right rows, for {@link #CHUNK_PARTS} parts along k, into its
 * own second-level cache, and 32 left rows after the other pass them, a part along k at a time. Where all of k is one
 * chunk, the sums of 32 rows stay in the first-level cache until they are finished, and a worker keeps its panel for
 * the next item; else they wait in memory.
 *
 * <p>Each sum is one chain in the order of k, however the work is cut; rows and columns are padded with zeros to whole
 * blocks, k to whole steps.
 *
 * <p>In a split precision both factors' numbers are {@link Parts}: left rows are split when they are packed, right ones
 * when a panel is, into as many parts as they have bits for. A part along k is shorter and a chunk has fewer steps, so
 * that both fill the caches as before.
 */
final class AmxGemm {
    /** Steps along k of a part: 32 left rows of it are 32 KiB, two thirds of the first-level cache. */
    static final int PART_STEPS = 16;
    /** Widths of 32 columns of a panel, and the parts it has along k: 768 KiB of the second-level cache. */
    static final int PANEL_BLOCKS = 8;
    static final int CHUNK_PARTS = 3;
    /** Blocks of 32 left rows of an item whose sums wait in memory. */
    private static final int MOST_GROUP = 160;
    /** Bytes of left rows that are rounded at a time. */
    private static final long ROUNDED = 32 << 20;
    private static final int ITEMS_PER_WORKER = 2;
    /** Ways of cutting rows that are looked at, and the share of workers' time that may be lost without looking on. */
    private static final int CUTS = 4;
    private static final double LOST = 0.05;

    private final Cpu cpu;
    private final AmxStore store;
    private final Item[] items;
    private final Workers.Body packLeft = this::packLeft;
    private final Workers.Body multiply = this::multiply;

    private AmxPanels panels;
    /** Of left numbers. */
    private int leftParts;
    private Parts parts;
    private Gemm.Factors factors;
    private int m;
    private int k;
    private int steps;
    private int partSteps;
    private int chunkSteps;
    private int rowBytes;
    /** Where left rows lie as the product takes them; null where they do not. */
    private Tensor inPlace;
    /** Left rows that were rounded or copied, the last block's where they lie in place. */
    private MemorySegment left;
    private int chunkStart;
    private int chunkRows;
    private int blocks;
    private int n;
    private int columnBlocks;
    private int panelBlocks;
    private int groups;

    /** What a worker is at. */
    private static final class Item {
        private final Ahead ahead = new Ahead();
        /** The panel whose right rows are packed, -1 for none. */
        private int packed;
        private MemorySegment right;
        private MemorySegment sums;
        /** Bytes from the sums of a block of rows to those of the next; 0 where they are finished before. */
        private int sumsApart;
        private int number;
        private int panel;
        /** Blocks of left rows. */
        private int first;
        private int count;
        /** Blocks of columns. */
        private int columnBlock;
        private int widths;
        /** Steps of the chunk along k. */
        private int from;
        private int end;
    }

    AmxGemm(Cpu cpu) {
        this.cpu = cpu;
        store = new AmxStore(cpu);
        items = new Item[cpu.workers().count()];
        Arrays.setAll(items, _ -> new Item());
    }

    /** See {@link Gemm#run(int, int, Gemm.Factors, Runnable)}; there is at least a row. */
    void run(int rows, int depth, Gemm.Factors given, Runnable products) {
        panels = cpu.products().amx();
        factors = given;
        m = rows;
        k = depth;
        leftParts = cpu.precision().parts();
        steps = Math.max(1, Math.ceilDiv(k, DEPTH));
        partSteps = share(steps, PART_STEPS / leftParts);
        rowBytes = Math.multiplyExact(steps, leftParts * ROW_STEP_BYTES);
        Tensor words = leftParts == 1 && k > 0 && k % DEPTH == 0 ? factors.leftWords() : null;
        inPlace = words != null && inLines(words) ? words : null;
        int blocksInAll = Math.ceilDiv(m, SIDE);
        int held = inPlace != null ? blocksInAll
                : share(blocksInAll, Math.clamp(ROUNDED / ((long) SIDE * rowBytes), 1, blocksInAll));
        left = cpu.sharedMemory(Buffer.A_PANEL, (inPlace != null ? 1L : held) * SIDE * rowBytes);
        for (chunkStart = 0; chunkStart < m; chunkStart += held * SIDE) {
            chunkRows = Math.min(held * SIDE, m - chunkStart);
            blocks = Math.ceilDiv(chunkRows, SIDE);
            int first = inPlace == null ? 0 : chunkRows / SIDE;
            cpu.workers().run((blocks - first) * (SIDE / PACKED_ROWS), packLeft);
            products.run();
        }
        inPlace = null;
        factors = null;
    }

    /** The least size of as many equal shares as it takes of at most {@code most}. */
    private static int share(int all, int most) {
        return Math.ceilDiv(all, Math.ceilDiv(all, most));
    }

    /** Whether every row is in whole cache lines. */
    private static boolean inLines(Tensor rows) {
        return rows.data().isNative() && (rows.data().address() | rows.rowOffset(1)) % LINE == 0;
    }

    /** Half a block of left rows, those beyond the last one 0. */
    private void packLeft(int item, int worker) {
        int row = (inPlace == null ? 0 : chunkRows / SIDE * SIDE) + item * PACKED_ROWS;
        int count = Math.clamp(chunkRows - row, 0, PACKED_ROWS);
        long at = (long) item * PACKED_ROWS * rowBytes;
        Tensor place = k > 0 && k % DEPTH == 0 ? factors.leftPlace() : null;
        if (place != null && leftParts > 1) {
            panels.split(leftParts, place.data(), place.rowOffset(chunkStart + row), place.rowOffset(1), count, steps,
                    left, at, rowBytes);
        } else if (place != null) {
            cpu.products().pairs().rows(place.data(), place.rowOffset(chunkStart + row), place.rowOffset(1), count, k,
                    null, left, at);
        } else {
            for (int r = 0; r < count; r++) {
                leftRow(chunkStart + row + r, at + (long) r * rowBytes, worker);
            }
        }
        left.asSlice(at + (long) count * rowBytes, (long) (PACKED_ROWS - count) * rowBytes).fill((byte) 0);
    }

    private void leftRow(int row, long at, int worker) {
        Tensor words = leftParts == 1 ? factors.leftWords() : null;
        if (words != null) {
            long bytes = (long) Short.BYTES * k;
            MemorySegment.copy(words.data(), words.rowOffset(row), left, at, bytes);
            left.asSlice(at + bytes, rowBytes - bytes).fill((byte) 0);
            return;
        }
        float[] numbers = cpu.local(worker, Buffer.ROW, steps * DEPTH);
        factors.left(row, numbers, 0);
        Arrays.fill(numbers, k, steps * DEPTH, 0f);
        inParts(leftParts, numbers, steps, left, at);
    }

    /** Numbers as words of bfloat16, split or rounded. */
    private void inParts(int count, float[] numbers, int numberSteps, MemorySegment to, long at) {
        if (leftParts > 1) {
            panels.split(count, numbers, 0, numberSteps, to, at);
        } else {
            cpu.products().roundPairs(numbers, numberSteps * DEPTH, to, at);
        }
    }

    /** See {@link Gemm#product}; there is at least a column. */
    void product(int columns, Tensor biasVector, Epilogue epilogue, Tensor to) {
        n = columns;
        parts = Parts.of(leftParts, factors.rightBits());
        // As many bytes of a panel in every precision.
        int chunkParts = CHUNK_PARTS * leftParts / parts.right();
        chunkSteps = share(Math.ceilDiv(steps, partSteps), chunkParts) * partSteps;
        columnBlocks = Math.ceilDiv(n, SIDE);
        panelBlocks = panelBlocks();
        int count = Math.ceilDiv(columnBlocks, panelBlocks);
        groups = groups(count);
        for (Item item : items) {
            item.packed = -1;
        }
        store.begin(biasVector, n, epilogue, to);
        cpu.workers().run(count * groups, multiply);
        store.end();
    }

    /**
     * Blocks of a panel: fewer where there are so many workers that each would pack a panel for a few rows only. What a
     * worker reads is least where an item has about as many rows as columns.
     */
    private int panelBlocks() {
        int width = share(columnBlocks, PANEL_BLOCKS);
        long all = (long) blocks * columnBlocks / ((long) ITEMS_PER_WORKER * cpu.workers().count());
        while (width > 1 && all < 2L * width * width) {
            width = (width + 1) / 2;
        }
        return width;
    }

    /** Groups of rows, so many that there is work for all workers until the end. */
    private int groups(int count) {
        int workers = cpu.workers().count();
        int least = chunkSteps < steps ? Math.ceilDiv(blocks, MOST_GROUP) : 1;
        if (workers == 1) {
            return least;
        }
        int best = Math.clamp(Math.ceilDiv(ITEMS_PER_WORKER * workers, count), least, Math.max(least, blocks));
        for (int cut = best; cut < Math.min(best + CUTS, blocks + 1); cut++) {
            if (lost(count * cut, workers) < lost(count * best, workers) - LOST) {
                best = cut;
            }
        }
        return best;
    }

    private static double lost(int items, int workers) {
        return 1 - items / (double) (Math.ceilDiv(items, workers) * workers);
    }

    private void multiply(int number, int worker) {
        Item item = items[worker];
        item.number = number;
        item.panel = number / groups;
        item.first = (int) ((long) blocks * (number % groups) / groups);
        item.count = (int) ((long) blocks * (number % groups + 1) / groups) - item.first;
        item.columnBlock = item.panel * panelBlocks;
        item.widths = Math.min(panelBlocks, columnBlocks - item.columnBlock);
        boolean once = chunkSteps >= steps;
        item.right = cpu.localMemory(worker, Buffer.B_PANEL, (long) panelBlocks * chunkSteps * parts.stepBytes());
        item.sumsApart = once ? 0 : panelBlocks * BLOCK_BYTES;
        item.sums = cpu.localMemory(worker, Buffer.SUMS,
                (long) panelBlocks * BLOCK_BYTES + (item.count - 1L) * item.sumsApart);
        store.beginPanel(item.columnBlock * SIDE, worker);
        for (item.from = 0; item.from < steps; item.from += chunkSteps) {
            item.end = Math.min(item.from + chunkSteps, steps);
            if (!once || item.packed != item.panel) {
                item.packed = item.panel;
                packRight(item.columnBlock, item.widths, item.from, item.end, item.right, worker);
            }
            for (int b = 0; b < item.count; b++) {
                block(item, b, worker);
            }
        }
    }

    /** All parts of a chunk for a block of left rows, and where it is the last chunk their way into the output. */
    private void block(Item item, int b, int worker) {
        int block = item.first + b;
        boolean there = inPlace != null && (block + 1) * SIDE <= chunkRows;
        MemorySegment rows = there ? inPlace.data() : left;
        long at = there ? inPlace.rowOffset(block * SIDE) : leftAt(block);
        long apart = there ? inPlace.rowOffset(1) : rowBytes;
        long sumsAt = (long) b * item.sumsApart;
        for (int step = item.from; step < item.end; step += partSteps) {
            int part = Math.min(partSteps, item.end - step);
            boolean last = step + part == item.end;
            lookAhead(item.ahead, block + (last ? 1 : 0), last ? item.from : step + part, last && b + 1 == item.count);
            Beside beside = beside(item, b, step);
            panels.multiply(step == 0, parts, rows, at + (long) step * parts.rowStepBytes(), apart, part, item.right,
                    (long) item.widths * (step - item.from) * parts.stepBytes(), item.widths, item.sums, sumsAt,
                    beside, item.ahead);
        }
        if (item.end == steps) {
            store.rows(item.sums, sumsAt, chunkStart + block * SIDE, 1, Math.min(SIDE, chunkRows - block * SIDE),
                    item.columnBlock * SIDE, item.widths, worker);
        }
    }

    private long leftAt(int block) {
        return inPlace != null ? 0 : (long) block * SIDE * rowBytes;
    }

    /** The left rows that come next: another part of these, or the first of the block behind them. */
    private void lookAhead(Ahead to, int block, int step, boolean nothing) {
        long offset = (long) step * parts.rowStepBytes();
        if (nothing) {
            to.nothingToRead();
        } else if (inPlace != null && (block + 1) * SIDE <= chunkRows) {
            to.toRead(inPlace.data(), inPlace.rowOffset(block * SIDE) + offset, inPlace.rowOffset(1));
        } else {
            to.toRead(left, leftAt(block) + offset, rowBytes);
        }
    }

    /**
     * What else comes into the cache: with the last calls before a panel is packed its right rows, each call a block
     * and a part of them; else with a block's last part the rows of the output.
     */
    private Beside beside(Item item, int b, int step) {
        boolean toNextPanel = item.end == steps;
        int nextFrom = toNextPanel ? 0 : item.end;
        int nextBlock = (toNextPanel ? (item.number + 1) / groups : item.panel) * panelBlocks;
        int nextParts = Math.ceilDiv(Math.min(chunkSteps, steps - nextFrom), partSteps);
        int callsLeft = (item.count - b) * Math.ceilDiv(item.end - item.from, partSteps)
                - (step - item.from) / partSteps;
        int piece = Math.min(panelBlocks, columnBlocks - nextBlock) * nextParts - callsLeft;
        boolean packs = chunkSteps < steps || (item.number + 1) % groups == 0;
        if (packs && piece >= 0) {
            int column = (nextBlock + piece / nextParts) * SIDE;
            Tensor rows = column + SIDE <= n ? rightPlace(column, SIDE) : null;
            if (rows != null) {
                item.ahead.toWrite(rows.data(), rows.rowOffset(factors.rightFirst(column))
                        + (long) (nextFrom + piece % nextParts * partSteps) * ROW_STEP_BYTES, rows.rowOffset(1));
                return Beside.ROWS;
            }
        }
        return step + partSteps < steps ? Beside.NOTHING
                : store.ahead(item.ahead, chunkStart + (item.first + b) * SIDE, 1, item.columnBlock * SIDE);
    }

    /** Where right rows lie as panels take them, if they do. */
    private Tensor rightPlace(int row, int count) {
        return parts.right() == 1 ? factors.rightPlace(row, count) : null;
    }

    /** Right rows of some blocks of columns, steps {@code from} to {@code end}, as [part][block][step]. */
    private void packRight(int columnBlock, int widths, int from, int end, MemorySegment to, int worker) {
        for (int half = 0; half < 2 * widths; half++) {
            int column = columnBlock * SIDE + half * PACKED_ROWS;
            int whole = Math.min(end, k / DEPTH);
            Tensor place = column + PACKED_ROWS <= n && whole > from ? rightPlace(column, PACKED_ROWS) : null;
            int done = place == null ? from : whole;
            if (place != null) {
                int first = factors.rightFirst(column);
                long offset = (long) from * ROW_STEP_BYTES;
                Mapped.touch(place, first, PACKED_ROWS, offset, (done - from) * ROW_STEP_BYTES);
                packColumns(place.data(), place.rowOffset(first) + offset, place.rowOffset(1), half, widths, from, from,
                        done, end, to);
            }
            if (done < end) {
                int bytes = (end - done) * parts.rightRowStepBytes();
                MemorySegment rows = cpu.localMemory(worker, Buffer.ROW, (long) PACKED_ROWS * bytes);
                for (int r = 0; r < PACKED_ROWS; r++) {
                    rightRow(column + r, done * DEPTH, (end - done) * DEPTH, rows, (long) r * bytes, worker);
                }
                packColumns(rows, 0, bytes, half, widths, from, done, end, end, to);
            }
        }
    }

    /** Half a block's rows, of which steps {@code done} to {@code to} begin at {@code offset}. */
    private void packColumns(MemorySegment rows, long offset, long stride, int half, int widths, int from, int done,
                             int to, int end, MemorySegment panel) {
        int next;
        for (int step = done; step < to; step = next) {
            int part = from + (step - from) / partSteps * partSteps;
            int partEnd = Math.min(part + partSteps, end);
            next = Math.min(partEnd, to);
            long at = half % 2 * HALF_STEP_BYTES + parts.stepBytes()
                    * ((long) widths * (part - from) + (long) half / 2 * (partEnd - part) + step - part);
            panels.packColumns(rows, offset + (long) (step - done) * parts.rightRowStepBytes(), stride,
                    (next - step) * parts.right(), panel, at);
        }
    }

    /** Words of a right row, 0 beyond n and k. */
    private void rightRow(int row, int from, int numbers, MemorySegment to, long at, int worker) {
        int count = Math.clamp(k - from, 0, numbers);
        float[] values = cpu.local(worker, Buffer.ROW, numbers);
        if (row >= n || count == 0) {
            to.asSlice(at, (long) Short.BYTES * parts.right() * numbers).fill((byte) 0);
        } else if (parts.right() == 1 && factors.rightStored(row, from, count, values, 0)) {
            Arrays.fill(values, Math.ceilDiv(count, 2), numbers / 2, 0f);
            MemorySegment.copy(values, 0, to, Narrow.FLOAT, at, numbers / 2);
        } else {
            factors.right(row, from, count, values, 0);
            Arrays.fill(values, count, numbers, 0f);
            inParts(parts.right(), values, numbers / DEPTH, to, at);
        }
    }
}
