package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.machine.AmxPanels.BLOCK_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;
import static jdiffusion.kernels.machine.AmxPanels.SUMS_ROW_BYTES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.AmxStore;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.Beside;
import jdiffusion.kernels.machine.Parts;
import jdiffusion.tensor.Tensor;

/**
 * {@link DirectConv2d} on AMX's tiles: 32 neighbouring places of the band are left rows, a pixel apart, whose channels
 * are filled up with zeros to whole steps. An item of work is a panel of output channels by a group of places; row
 * after row of the kernel passes all of them, while that row of the panel and the group's sums stay in the second-level
 * cache. Bias and epilogue come last.
 */
final class TileConv2d {
    /** Bytes of a band. */
    private static final long BAND = 32 << 20;
    /** Blocks of 32 places of an item: their sums are up to 512 KiB. */
    private static final int MOST_GROUP = 16;
    private static final int ITEMS_PER_WORKER = 2;

    private final Cpu cpu;
    private final AmxStore store;
    private final ConvBand input;
    private final KernelTiles kernels;
    private final Ahead[] ahead;
    private final Workers.Body multiply = this::multiply;

    private Conv2dShape shape;
    private Tensor out;
    private boolean doubled;
    private MemorySegment band;
    private MemorySegment tiles;
    /** Bytes of a pixel in the band, pixels of its rows. */
    private long pixel;
    private int pitch;
    private int side;
    private int image;
    private int firstRow;
    /** Places that are there, and blocks of them. */
    private int end;
    private int blocks;
    private int groups;

    TileConv2d(Cpu cpu) {
        this.cpu = cpu;
        store = new AmxStore(cpu);
        input = new ConvBand(cpu);
        kernels = new KernelTiles(cpu);
        ahead = new Ahead[cpu.workers().count()];
        Arrays.setAll(ahead, _ -> new Ahead());
    }

    /** See {@link DirectConv2d#run}. */
    void run(GroupNormCall norm, Conv2dShape given, boolean twice, Tensor x, Tensor weight, Tensor bias,
             Epilogue epilogue, Tensor to) {
        shape = given;
        doubled = twice;
        out = to;
        int channels = Math.ceilDiv(shape.cin(), DEPTH) * DEPTH;
        input.begin(norm, shape, x, channels);
        pixel = (long) Short.BYTES * cpu.precision().parts() * channels;
        pitch = input.pitch();
        side = twice ? 2 : shape.kernel();
        tiles = kernels.pack(new KernelRows(weight, twice, channels));
        store.begin(Conv2dShape.biasOf(bias, 0), to.cols(), epilogue, to);
        long row = pitch * pixel;
        int most = Math.clamp(BAND / row - shape.kernel() + 1, 1, shape.outHeight());
        int rows = Math.ceilDiv(shape.outHeight(), Math.ceilDiv(shape.outHeight(), most));
        // The last block may reach past the last row.
        long bytes = (rows + shape.kernel() - 1) * row + (SIDE + side) * pixel;
        band = cpu.sharedMemory(Buffer.A_PANEL, bytes);
        band.asSlice(bytes - (SIDE + side) * pixel, (SIDE + side) * pixel).fill((byte) 0);
        for (image = 0; image < shape.batch(); image++) {
            input.image(image);
            if (Conv2dShape.hasBiasForEachImage(bias)) {
                store.bias(bias.at(image));
            }
            for (firstRow = 0; firstRow < shape.outHeight(); firstRow += rows) {
                band(Math.min(rows, shape.outHeight() - firstRow));
            }
        }
        store.end();
        input.end();
        kernels.end();
        out = null;
    }

    private void band(int rows) {
        input.copy(firstRow, rows, band);
        end = (rows - 1) * pitch + shape.outWidth();
        blocks = Math.ceilDiv(end, SIDE);
        int all = sets() * kernels.panels();
        int wanted = Math.ceilDiv(ITEMS_PER_WORKER * cpu.workers().count(), all);
        groups = Math.clamp(wanted, Math.ceilDiv(blocks, MOST_GROUP), blocks);
        cpu.workers().run(all * groups, multiply);
    }

    private int sets() {
        return doubled ? 4 : 1;
    }

    private void multiply(int item, int worker) {
        int group = item % groups;
        int panel = item / groups % kernels.panels();
        int set = item / groups / kernels.panels();
        int first = (int) ((long) blocks * group / groups);
        int count = (int) ((long) blocks * (group + 1) / groups) - first;
        int widths = kernels.widths(panel);
        int steps = kernels.steps();
        Parts parts = kernels.parts();
        MemorySegment sums = cpu.localMemory(worker, Buffer.SUMS, (long) count * widths * BLOCK_BYTES);
        long from = ((long) first * SIDE + set / 2 * pitch + set % 2) * pixel;
        store.beginPanel(kernels.channel(panel), worker);
        for (int y = 0; y < side; y++) {
            for (int b = 0; b < count; b++) {
                long left = from + ((long) y * pitch + b * SIDE) * pixel;
                long at = (long) b * widths * BLOCK_BYTES;
                for (int step = 0; step < steps; step += kernels.partSteps()) {
                    int part = Math.min(kernels.partSteps(), steps - step);
                    boolean last = step + part == steps;
                    lookAhead(left, last, step + part, last && b + 1 == count, worker);
                    Beside beside = last && y + 1 == side ? output(set, panel, (first + b) * SIDE, worker)
                            : Beside.NOTHING;
                    cpu.products().amx().multiply(y == 0 && step == 0, parts, band,
                            left + (long) step * parts.rowStepBytes(), pixel, part, tiles,
                            kernels.at(set, panel, y, step), widths, sums, at, beside, ahead[worker]);
                }
            }
        }
        for (int b = 0; b < count; b++) {
            store(set, panel, (first + b) * SIDE, sums, (long) b * widths * BLOCK_BYTES, worker);
        }
    }

    /** The pixels that come next: another part of these along k, or those of the next block. */
    private void lookAhead(long left, boolean toNextBlock, int step, boolean nothing, int worker) {
        if (nothing) {
            ahead[worker].nothingToRead();
        } else {
            long next = toNextBlock ? SIDE * pixel : (long) step * kernels.parts().rowStepBytes();
            ahead[worker].toRead(band, left + next, pixel);
        }
    }

    /** About where a block's sums will go. */
    private Beside output(int set, int panel, int first, int worker) {
        int place = Math.min(first % pitch, shape.outWidth() - 1);
        int row = Math.min(pixelOf(set, first / pitch, place), out.rows() - SIDE * apart());
        return row < 0 ? Beside.NOTHING : store.ahead(ahead[worker], row, apart(), kernels.channel(panel));
    }

    private int apart() {
        return doubled ? 2 : 1;
    }

    /** Stores the sums of a block's places that are pixels. */
    private void store(int set, int panel, int first, MemorySegment sums, long at, int worker) {
        int all = Math.min(SIDE, end - first);
        int run;
        for (int i = 0; i < all; i += run) {
            int y = (first + i) / pitch;
            int place = (first + i) % pitch;
            run = Math.min(pitch - place, all - i);
            int pixels = Math.min(shape.outWidth() - place, run);
            if (pixels > 0) {
                store.rows(sums, at + (long) i * SUMS_ROW_BYTES, pixelOf(set, y, place), apart(), pixels,
                        kernels.channel(panel), kernels.widths(panel), worker);
            }
        }
    }

    private int pixelOf(int set, int y, int place) {
        int row = image * shape.outHeight() + firstRow + y;
        return doubled ? (row * 2 + set / 2) * 2 * shape.outWidth() + 2 * place + set % 2
                : row * shape.outWidth() + place;
    }
}
